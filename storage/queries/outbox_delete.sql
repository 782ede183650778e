DELETE FROM outbox WHERE "position" = ANY ($1::int8[])
