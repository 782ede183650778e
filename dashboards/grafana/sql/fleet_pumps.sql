-- Pumps by the time that is left: of an open alert's harm, else until the reservoir may be empty. Two looks into an index
-- for each pump, so that the cost does not grow with history.
SELECT k.pump, k.site, a.priority, a.cause AS "soonest or worst", a.alerts AS "open alerts",
       extract(epoch FROM a.harm_at - now())::float8 AS "to harm",
       extract(epoch FROM f.empty_at_p05 - now())::float8 AS "to empty, earliest",
       extract(epoch FROM f.device_alarm_at - now())::float8 AS "to device's alarm",
       extract(epoch FROM f.refill_due - now())::float8 AS "to refill",
       f.flow_ratio AS "flow ratio",
       extract(epoch FROM now() - e.received)::float8 AS "last heard"
FROM pump_site k
LEFT JOIN (
    SELECT pump, count(*) AS alerts, min(harm_at_lo) AS harm_at,
           (array_agg(cause ORDER BY array_position(ARRAY['high', 'medium', 'low'], priority::text), harm_at_lo))[1] AS cause,
           (array_agg(priority ORDER BY array_position(ARRAY['high', 'medium', 'low'], priority::text)))[1] AS priority
    FROM alert_now
    WHERE state <> 'pending'
    GROUP BY pump
) a ON a.pump = k.pump
LEFT JOIN LATERAL (
    SELECT * FROM forecast f
    WHERE f.pump = k.pump AND f.believed_to IS NULL AND f.run_id = (SELECT run_id FROM run WHERE current)
    ORDER BY f.at DESC, f.ordinal DESC LIMIT 1
) f ON true
LEFT JOIN LATERAL (SELECT e.received FROM events e WHERE e.pump = k.pump ORDER BY e.at DESC LIMIT 1) e ON true
WHERE k.site IN (${site:sqlstring})
ORDER BY least(a.harm_at, f.empty_at_p05) NULLS LAST, k.pump
LIMIT 500
