UPDATE alert f SET believed_to = $1
FROM unnest($3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::int4[]) AS k(pump, at, cause, alert_id, ordinal)
WHERE f.run_id = $2 AND f.pump = k.pump AND f.at = k.at AND f.cause = k.cause AND f.alert_id = k.alert_id
  AND f.ordinal = k.ordinal AND f.believed_to IS NULL
