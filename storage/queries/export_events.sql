SELECT payload, received FROM events
WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR pump = $3) AND ($4::timestamptz IS NULL OR at <= $4)
ORDER BY at, pump, id, digest
