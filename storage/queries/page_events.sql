-- A pump's newest events that are no telemetry, before $2 and of types $3 (NULL: any), at most $4.
SELECT at, received, type, payload
FROM events
WHERE pump = $1 AND type <> 'telemetry' AND counts AND at <= $2 AND ($3::text[] IS NULL OR type = ANY ($3))
ORDER BY at DESC, id
LIMIT $4
