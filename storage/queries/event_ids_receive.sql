UPDATE event_ids i SET received = least(i.received, k.received)
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k(pump, id, received)
WHERE i.pump = k.pump AND i.id = k.id AND i.counts
RETURNING i.pump, i.id, i.digest, i.at, i.received
