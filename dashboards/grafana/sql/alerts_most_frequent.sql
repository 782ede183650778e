-- The few signals that make most of the load: ISA-18.2 reviews the ten most frequent.
SELECT pump, cause, count(*) AS activations,
       (count(*) / sum(count(*)) OVER ())::float8 AS share
FROM kpi_activation
WHERE $__timeFilter(told_at) AND site IN (${site:sqlstring}) AND priority <> 'info'
GROUP BY pump, cause
ORDER BY activations DESC, pump, cause
LIMIT 10
