INSERT INTO state AS s (topic, "partition", pump, blob, longest_us)
SELECT $1, $2, n.pump, n.blob, n.longest_us FROM unnest($3::text[], $4::bytea[], $5::int8[]) AS n(pump, blob, longest_us)
ON CONFLICT (topic, "partition", pump) DO UPDATE
SET blob = coalesce(excluded.blob, s.blob), longest_us = greatest(excluded.longest_us, s.longest_us)
