-- The compare-and-set that everything else stands behind. No row: another worker owns the partition, or nobody has begun it.
UPDATE progress SET next_offset = $4, committed_at = now()
WHERE topic = $1 AND "partition" = $2 AND next_offset = $3
RETURNING (SELECT run_id FROM run WHERE current)
