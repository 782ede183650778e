-- Programmed rate, the mean of each window, as a step: drawn at the window's start and end.
SELECT edge.at AS "time", d.programmed_ul * 3600 / extract(epoch FROM d.to_at - d.from_at)::float8 AS "programmed, mean"
FROM dose_now d
CROSS JOIN LATERAL (VALUES (d.from_at), (d.to_at - interval '1 microsecond')) edge (at)
WHERE d.pump = ${pump:sqlstring} AND d.to_at > d.from_at AND $__timeFilter(d.at)
ORDER BY 1
