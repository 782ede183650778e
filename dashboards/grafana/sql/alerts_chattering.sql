-- Signals that were raised three times or more within a minute.
SELECT pump, site, cause, count(*) AS minutes, max(activations) AS "most in a minute", max(at) AS newest
FROM kpi_chattering
WHERE $__timeFilter(at) AND site IN (${site:sqlstring})
GROUP BY pump, site, cause
ORDER BY minutes DESC, pump, cause
LIMIT 50
