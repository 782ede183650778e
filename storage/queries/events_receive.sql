UPDATE events e SET received = k.received
FROM unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::timestamptz[]) AS k(pump, id, digest, at, received)
WHERE e.pump = k.pump AND e.at = k.at AND e.id = k.id AND e.digest = k.digest AND e.at BETWEEN $6 AND $7
