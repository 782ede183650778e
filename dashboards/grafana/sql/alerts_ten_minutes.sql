-- Activations in each ten minutes of the clock.
SELECT start AS "time", site AS metric, activations::float8 AS activations
FROM kpi_ten_minutes
WHERE $__timeFilter(start) AND site IN (${site:sqlstring})
ORDER BY 1
