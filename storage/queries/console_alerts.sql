-- The open alerts, the most urgent first.
SELECT a.alert_id, a.pump, p.site, a.cause, a.state, a.priority, a.at AS at_us, a.since AS since_us,
       a.harm_at_lo AS harm_lo_us, a.harm_at_hi AS harm_hi_us, a.text, a.written_at AS written_us
FROM alert_now a
LEFT JOIN pump p ON p.pump = a.pump
ORDER BY array_position(ARRAY['high', 'medium', 'low'], a.priority::text), a.harm_at_lo NULLS LAST, a.since, a.alert_id
