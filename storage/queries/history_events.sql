-- $3: no event that begins before it reaches $2; it only lets whole chunks be skipped.
SELECT payload, received, offset_us, uuid_send(digest) AS digest
FROM events
WHERE pump = $1 AND last_at >= $2 AND at >= $3 AND counts
ORDER BY at, id
