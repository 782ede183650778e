-- Open alerts of each cause, a column for each priority.
SELECT a.cause, count(*) FILTER (WHERE a.priority = 'high') AS high, count(*) FILTER (WHERE a.priority = 'medium') AS medium,
       count(*) FILTER (WHERE a.priority = 'low') AS low, count(*) FILTER (WHERE a.priority = 'info') AS info
FROM alert_now a
JOIN pump_site k ON k.pump = a.pump
WHERE a.state <> 'pending' AND k.site IN (${site:sqlstring})
GROUP BY a.cause
ORDER BY count(*) DESC, a.cause
