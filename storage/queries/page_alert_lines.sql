-- The history of one alert: every line that is believed now, oldest first.
SELECT a.pump, a.at, a.cause, a.state, a.priority, a.since, a.harm_at_lo, a.harm_at_hi, a.text, a.line
FROM alert a
JOIN run r ON r.run_id = a.run_id AND r.current
WHERE a.alert_id = $1 AND a.believed_to IS NULL
ORDER BY a.at, a.ordinal
