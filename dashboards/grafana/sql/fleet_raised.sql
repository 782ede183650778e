-- Activations over time, by when they were told.
SELECT $__timeGroupAlias(told_at, $__interval), priority AS metric, count(*)::float8 AS activations
FROM kpi_activation
WHERE $__timeFilter(told_at) AND site IN (${site:sqlstring})
GROUP BY 1, 2
ORDER BY 1
