-- What people and dashboards read: the current run, believed now.

CREATE VIEW dose_now AS
SELECT d.pump, d.at, d.from_at, d.to_at, d.programmed_ul, d.programmed_ug, d.sensed_ul, d.sensed_ug, d.tip_ug, d.bolus_ul,
       d.priming_ul, d.coverage, d.believed_from
FROM dose d
JOIN run r ON r.run_id = d.run_id AND r.current
WHERE d.believed_to IS NULL;

CREATE VIEW forecast_now AS
SELECT DISTINCT ON (f.pump)
       f.pump, f.at, f.flow_ratio, f.flow_ratio_lo, f.flow_ratio_hi, f.empty_at_p05, f.empty_at_p50, f.empty_at_p95,
       f.device_alarm_at, f.dry_before_alarm, f.refill_due, f.refill_due_reason, f.believed_from
FROM forecast f
JOIN run r ON r.run_id = f.run_id AND r.current
WHERE f.believed_to IS NULL
ORDER BY f.pump, f.at DESC, f.ordinal DESC;
COMMENT ON VIEW forecast_now IS 'The newest forecast of each pump.';

CREATE VIEW alert_history AS
SELECT a.pump, a.at, a.cause, a.alert_id, a.ordinal, a.state, a.priority, a.since, a.harm_at_lo, a.harm_at_hi, a.text,
       a.believed_from, a.line
FROM alert a
JOIN run r ON r.run_id = a.run_id AND r.current
WHERE a.believed_to IS NULL;

CREATE VIEW alert_now AS
SELECT latest.*
FROM (SELECT DISTINCT ON (h.alert_id) h.* FROM alert_history h ORDER BY h.alert_id, h.at DESC, h.ordinal DESC) latest
WHERE latest.state <> 'cleared';
COMMENT ON VIEW alert_now IS 'The last line of each alert that is open: pending, active, acknowledged, latched or shelved.';

CREATE VIEW samples AS
SELECT s.at, e.at AS event_at, e.pump, e.source, e.id, s.row - 1 AS row,
       nullif(e.delivered_ul[s.row], 'NaN') AS delivered_ul,
       nullif(e.flow_ul_h[s.row], 'NaN') AS flow_ul_h,
       nullif(e.reservoir_ml[s.row], 'NaN') AS reservoir_ml,
       nullif(e.pressure_kpa[s.row], 'NaN') AS pressure_kpa,
       nullif(e.inlet_kpa[s.row], 'NaN') AS inlet_kpa,
       nullif(e.motor_ma[s.row], 'NaN') AS motor_ma,
       nullif(e.motor_v[s.row], 'NaN') AS motor_v,
       nullif(e.vibration_g[s.row], 'NaN') AS vibration_g,
       nullif(e.vibration2_g[s.row], 'NaN') AS vibration2_g,
       nullif(e.temperature_c[s.row], 'NaN') AS temperature_c,
       nullif(e.fluid_c[s.row], 'NaN') AS fluid_c,
       nullif(e.battery_v[s.row], 'NaN') AS battery_v,
       nullif(e.stalled[s.row], 'NaN') AS stalled
FROM events e
CROSS JOIN LATERAL unnest(e.rows_at) WITH ORDINALITY AS s(at, row)
WHERE e.counts;
COMMENT ON VIEW samples IS 'Telemetry row by row. Filter by pump, and by event_at if you can, so that whole frames are skipped.';
