-- Open alerts of each site, a column for each priority.
SELECT k.site, count(*) FILTER (WHERE a.priority = 'high') AS high, count(*) FILTER (WHERE a.priority = 'medium') AS medium,
       count(*) FILTER (WHERE a.priority = 'low') AS low, count(*) FILTER (WHERE a.priority = 'info') AS info
FROM alert_now a
JOIN pump_site k ON k.pump = a.pump
WHERE a.state <> 'pending' AND k.site IN (${site:sqlstring})
GROUP BY k.site
ORDER BY count(*) DESC, k.site
LIMIT 30
