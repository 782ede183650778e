-- Each cause's state over time as a number; an alert that was open before the range begins at its start.
SELECT greatest(h.at, $__timeFrom()::timestamptz) AS "time", h.cause AS metric,
       array_position(ARRAY['cleared', 'pending', 'active', 'acknowledged', 'latched', 'shelved'], h.state::text)::float8 - 1 AS state
FROM (
    SELECT at, ordinal, cause, state, lead(at) OVER (PARTITION BY cause ORDER BY at, ordinal) AS until
    FROM alert_history
    WHERE pump = ${pump:sqlstring} AND at <= $__timeTo()::timestamptz
) h
WHERE h.at >= $__timeFrom()::timestamptz OR h.until IS NULL OR h.until > $__timeFrom()::timestamptz
ORDER BY 1, h.ordinal
