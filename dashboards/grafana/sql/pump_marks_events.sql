-- Clinical events as marks on every panel; assessments have a panel of their own.
SELECT at AS "time", concat_ws(' ', replace(type, '_', ' '), content ->> 'mode', content ->> 'kind', content ->> 'code') AS text,
       source AS tags
FROM clinical_event
WHERE pump = ${pump:sqlstring} AND type <> 'assessment' AND $__timeFilter(at)
ORDER BY 1
LIMIT 500
