-- A partition's first commit: its row is taken to have stood at 0. Of two workers at once the second gets no row.
INSERT INTO progress (topic, "partition", next_offset)
SELECT $1, $2, $3 WHERE $4::int4 IS NULL OR $4 = (SELECT run_id FROM run WHERE current)
ON CONFLICT DO NOTHING
RETURNING (SELECT run_id FROM run WHERE current)
