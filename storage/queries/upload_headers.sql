SELECT type, id, at, received, CASE WHEN type <> 'telemetry' THEN payload END AS payload
FROM events
WHERE pump = $1 AND counts
  AND type IN ('telemetry', 'pump_registered', 'pump_explanted', 'alert_ack', 'alert_shelved')
ORDER BY at, id
