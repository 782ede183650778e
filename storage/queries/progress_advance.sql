-- The compare-and-set that everything else stands behind. No row: another worker owns the partition, or nobody has begun it, or
-- the states folded on ($5: their run) were rebuilt. A rebuild locks the table, so that no statement waits here with an old
-- snapshot of table run.
UPDATE progress SET next_offset = $4, committed_at = now()
WHERE topic = $1 AND "partition" = $2 AND next_offset = $3
  AND ($5::int4 IS NULL OR $5 = (SELECT run_id FROM run WHERE current))
RETURNING (SELECT run_id FROM run WHERE current)
