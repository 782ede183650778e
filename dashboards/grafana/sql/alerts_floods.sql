-- One row: the worst ten minutes of any site, how many were a flood, and their share of the range's time.
SELECT coalesce(max(activations), 0)::float8 AS "peak in 10 min", count(*) FILTER (WHERE flood)::float8 AS "floods",
       (count(DISTINCT start) FILTER (WHERE flood) * 600
        / extract(epoch FROM $__timeTo()::timestamptz - $__timeFrom()::timestamptz))::float8 AS "time in flood"
FROM kpi_ten_minutes
WHERE $__timeFilter(start) AND site IN (${site:sqlstring})
