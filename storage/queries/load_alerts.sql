SELECT cause, count(DISTINCT alert_id) FROM alert_history
WHERE pump BETWEEN $1 AND $2 AND state <> 'pending'
GROUP BY cause
ORDER BY cause
