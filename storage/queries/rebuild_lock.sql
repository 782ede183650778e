-- Waits for commits under way and keeps new ones waiting, those of partitions without a row too. Not by rows: a commit
-- that waits for a row would judge table run by the snapshot it began with. A reader is not kept waiting.
LOCK TABLE progress IN SHARE ROW EXCLUSIVE MODE
