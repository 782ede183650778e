-- Every pump that is registered or has a head state, each with its newest forecast and the newest event of its log. By
-- two looks into an index for each pump, so that the cost does not grow with history.
SELECT k.pump, p.site, p.model, p.reservoir_ml, p.low_reservoir_ml, p.dead_volume_ul, p.min_rate_ul_h, p.max_rate_ul_h,
       p.flow_tolerance, p.pressure_limit_kpa, p.stability_days, p.upload_every_s, p.high_risk,
       coalesce(p.explanted, false) AS explanted, e.received AS received_us,
       f.at AS forecast_us, f.flow_ratio, f.flow_ratio_lo, f.flow_ratio_hi, f.empty_at_p05 AS empty_p05_us,
       f.empty_at_p50 AS empty_p50_us, f.empty_at_p95 AS empty_p95_us, f.device_alarm_at AS device_alarm_us,
       f.dry_before_alarm, f.refill_due AS refill_due_us, f.refill_due_reason
FROM (SELECT pump FROM state WHERE topic = $1 UNION SELECT pump FROM pump) k
LEFT JOIN pump p ON p.pump = k.pump
LEFT JOIN LATERAL (
    SELECT * FROM forecast f
    WHERE f.pump = k.pump AND f.believed_to IS NULL AND f.run_id = (SELECT run_id FROM run WHERE current)
    ORDER BY f.at DESC, f.ordinal DESC LIMIT 1
) f ON true
LEFT JOIN LATERAL (SELECT e.received FROM events e WHERE e.pump = k.pump ORDER BY e.at DESC LIMIT 1) e ON true
ORDER BY k.pump COLLATE "C"
