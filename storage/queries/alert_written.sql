SELECT pump, cause, alert_id, state, priority, at, written_at, believed_from, believed_to
FROM alert
WHERE run_id = (SELECT run_id FROM run WHERE current)
ORDER BY written_at, at, pump, cause, alert_id, ordinal
