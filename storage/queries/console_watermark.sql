-- Moves with every commit of a worker and with a rebuild; not by times, since commits of partitions overlap.
SELECT coalesce(sum(next_offset), 0)::int8 AS offsets, (SELECT run_id FROM run WHERE current) AS run_id
FROM progress WHERE topic = $1
