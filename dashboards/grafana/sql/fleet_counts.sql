-- One row: how the fleet stands now.
SELECT count(*) AS "pumps",
       coalesce(sum(a.high), 0) AS "high",
       coalesce(sum(a.medium), 0) AS "medium",
       coalesce(sum(a.low), 0) AS "low",
       coalesce(sum(a.unanswered_high), 0) AS "high, not answered",
       coalesce(sum(a.silent), 0) AS "silent pumps"
FROM pump_site k
LEFT JOIN (
    SELECT pump, count(*) FILTER (WHERE priority = 'high') AS high, count(*) FILTER (WHERE priority = 'medium') AS medium,
           count(*) FILTER (WHERE priority = 'low') AS low,
           count(*) FILTER (WHERE priority = 'high' AND state IN ('active', 'latched')) AS unanswered_high,
           count(*) FILTER (WHERE cause = 'telemetry_silent' AND state <> 'latched') AS silent
    FROM alert_now
    WHERE state <> 'pending'
    GROUP BY pump
) a ON a.pump = k.pump
WHERE k.site IN (${site:sqlstring})
