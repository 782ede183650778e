UPDATE event_ids i SET counts = false
FROM unnest($1::text[], $2::text[]) AS k(pump, id)
WHERE i.pump = k.pump AND i.id = k.id AND i.counts
RETURNING i.pump, i.id, i.digest, i.at
