-- One row: what the pump is.
SELECT k.site, p.model, p.reservoir_ml AS "reservoir", p.low_reservoir_ml AS "low at", p.dead_volume_ul AS "dead volume",
       p.min_rate_ul_h AS "slowest", p.max_rate_ul_h AS "fastest", p.flow_tolerance AS "tolerance",
       p.stability_days AS "drug keeps, days", p.high_risk AS "high risk",
       (SELECT e.received FROM events e WHERE e.pump = k.pump ORDER BY e.at DESC LIMIT 1) AS "last heard"
FROM pump_site k
LEFT JOIN pump p ON p.pump = k.pump
WHERE k.pump = ${pump:sqlstring}
