INSERT INTO checkpoint (pump, head_us, max_seq, max_raw_us, blob)
SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::bytea[])
ON CONFLICT (pump, head_us) DO UPDATE
SET max_seq = excluded.max_seq, max_raw_us = excluded.max_raw_us, blob = excluded.blob
