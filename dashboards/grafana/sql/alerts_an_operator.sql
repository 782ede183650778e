-- Alerts of a day on each person who answered any that day; all sites, since people are not counted by site.
SELECT day AS "time", alerts_an_operator AS "alerts an operator", operators::float8 AS "operators who answered"
FROM kpi_operator_daily
WHERE day BETWEEN date_trunc('day', $__timeFrom()::timestamptz, 'UTC') AND $__timeTo()::timestamptz
ORDER BY 1
