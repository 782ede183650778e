-- What is ahead, by the newest forecast.
SELECT m.at AS "time", m.text, 'forecast' AS tags
FROM (
    SELECT f.device_alarm_at, f.empty_at_p05, f.empty_at_p50, f.refill_due
    FROM forecast f
    WHERE f.pump = ${pump:sqlstring} AND f.believed_to IS NULL AND f.run_id = (SELECT run_id FROM run WHERE current)
    ORDER BY f.at DESC, f.ordinal DESC LIMIT 1
) f
CROSS JOIN LATERAL (VALUES (f.device_alarm_at, 'the device''s own alarm'), (f.empty_at_p05, 'empty, earliest'),
                           (f.empty_at_p50, 'empty, median'), (f.refill_due, 'refill due')) m (at, text)
WHERE $__timeFilter(m.at)
ORDER BY 1
