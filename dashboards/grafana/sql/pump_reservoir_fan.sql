-- The newest forecast as a fan: from the level at its time, measured in the day before or else the last fill less what was
-- delivered since, to 0 at the three times of an empty reservoir. Drawn as far as the board looks ahead.
WITH said AS (
    SELECT f.at, f.empty_at_p05, f.empty_at_p50, f.empty_at_p95, coalesce(f.flow_ratio, 1) AS ratio
    FROM forecast f
    WHERE f.pump = ${pump:sqlstring} AND f.believed_to IS NULL AND f.run_id = (SELECT run_id FROM run WHERE current)
      AND f.empty_at_p50 IS NOT NULL
    ORDER BY f.at DESC, f.ordinal DESC LIMIT 1
), measured AS (
    SELECT s.reservoir_ml AS ml
    FROM samples s, said
    WHERE s.pump = ${pump:sqlstring} AND s.reservoir_ml IS NOT NULL
      AND s.event_at BETWEEN said.at - interval '1 day' AND said.at AND s.at <= said.at
    ORDER BY s.at DESC LIMIT 1
), filled AS (
    SELECT e.at, (e.content ->> 'filled_ml')::float8 AS ml
    FROM clinical_event e, said
    WHERE e.pump = ${pump:sqlstring} AND e.type = 'reservoir_filled' AND e.at <= said.at
    ORDER BY e.at DESC LIMIT 1
), begun AS (
    SELECT said.*, coalesce(
        (SELECT ml FROM measured),
        (SELECT filled.ml - said.ratio * coalesce(sum(d.programmed_ul), 0) / 1000 FROM filled
         LEFT JOIN dose_now d ON d.pump = ${pump:sqlstring} AND d.from_at >= filled.at AND d.at <= said.at
         GROUP BY filled.ml)
    ) AS ml
    FROM said
)
SELECT step.at AS "time",
       b.ml * greatest(0, 1 - extract(epoch FROM step.at - b.at) / extract(epoch FROM b.empty_at_p05 - b.at))::float8 AS "earliest",
       b.ml * greatest(0, 1 - extract(epoch FROM step.at - b.at) / extract(epoch FROM b.empty_at_p50 - b.at))::float8 AS "median",
       b.ml * greatest(0, 1 - extract(epoch FROM step.at - b.at) / extract(epoch FROM b.empty_at_p95 - b.at))::float8 AS "latest"
FROM begun b
CROSS JOIN LATERAL (
    SELECT b.at + n / 60.0 * ($__timeTo()::timestamptz - b.at) AS at FROM generate_series(0, 60) n
    WHERE $__timeTo()::timestamptz > b.at
) step
WHERE b.ml > 0 AND b.empty_at_p05 > b.at
ORDER BY 1
