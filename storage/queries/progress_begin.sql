-- A partition's first commit: its row is taken to have stood at 0. Of two workers at once the second gets no row.
INSERT INTO progress (topic, "partition", next_offset) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING (SELECT run_id FROM run WHERE current)
