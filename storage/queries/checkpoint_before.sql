SELECT pump, head_us, max_seq, max_raw_us, blob FROM checkpoint
WHERE pump = $1 AND head_us < $2 AND ($3::int8 IS NULL OR max_seq < $3) AND ($4::int8 IS NULL OR max_raw_us <= $4)
ORDER BY head_us DESC LIMIT 1
