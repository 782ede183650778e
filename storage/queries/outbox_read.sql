SELECT "position", id::text, change, kind, pump, believed, line FROM outbox ORDER BY "position" LIMIT $1
