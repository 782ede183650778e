DELETE FROM event_ids i
USING unnest($1::text[], $2::text[], $3::uuid[]) AS k(pump, id, digest)
WHERE i.pump = k.pump AND i.id = k.id AND i.digest = k.digest
RETURNING i.pump, i.id, i.digest, i.at, i.received
