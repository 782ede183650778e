-- Alerts by the UTC day on which they were told first, whatever the range's hours.
SELECT day AS "time", priority AS metric, sum(alerts)::float8 AS alerts
FROM kpi_daily
WHERE site IN (${site:sqlstring})
  AND day BETWEEN date_trunc('day', $__timeFrom()::timestamptz, 'UTC') AND $__timeTo()::timestamptz
GROUP BY 1, 2
ORDER BY 1
