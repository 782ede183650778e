-- Each pump's newest forecast and when it was last heard of.
SELECT p.pump, f.at AS forecast_at, f.flow_ratio, f.empty_at_p05, f.empty_at_p50, f.device_alarm_at, f.refill_due
FROM (SELECT DISTINCT pump FROM state WHERE topic = $1) p
LEFT JOIN forecast_now f ON f.pump = p.pump
ORDER BY p.pump COLLATE "C"
