DELETE FROM events e
USING unnest($1::text[], $2::text[], $3::uuid[], $4::timestamptz[]) AS k(pump, id, digest, at)
WHERE e.pump = k.pump AND e.at = k.at AND e.id = k.id AND e.digest = k.digest AND e.at BETWEEN $5 AND $6
