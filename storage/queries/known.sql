SELECT k.row, uuid_send(i.digest) AS digest, i.received
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(pump, id, row)
JOIN event_ids i ON i.pump = k.pump AND i.id = k.id AND i.counts
