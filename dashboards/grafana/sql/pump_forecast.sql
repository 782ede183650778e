-- One row: the newest forecast, as time from now.
SELECT extract(epoch FROM f.empty_at_p05 - now())::float8 AS "empty, earliest",
       extract(epoch FROM f.empty_at_p50 - now())::float8 AS "empty, median",
       extract(epoch FROM f.device_alarm_at - now())::float8 AS "device's alarm",
       extract(epoch FROM f.refill_due - now())::float8 AS "refill due",
       f.dry_before_alarm AS "dry before alarm", f.flow_ratio AS "delivered / programmed"
FROM forecast f
WHERE f.pump = ${pump:sqlstring} AND f.believed_to IS NULL AND f.run_id = (SELECT run_id FROM run WHERE current)
ORDER BY f.at DESC, f.ordinal DESC
LIMIT 1
