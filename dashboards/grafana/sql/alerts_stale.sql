-- Alerts open for more than 24 hours, the oldest first.
SELECT pump, site, cause, priority, state, open_s AS "open for"
FROM kpi_stale
WHERE site IN (${site:sqlstring})
ORDER BY open_s DESC, pump, cause
LIMIT 100
