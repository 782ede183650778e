-- Clinical scores, beside the dose.
SELECT at AS "time", content ->> 'scale' AS metric, (content ->> 'score')::float8 AS score
FROM clinical_event
WHERE pump = ${pump:sqlstring} AND type = 'assessment' AND $__timeFilter(at)
ORDER BY 1
