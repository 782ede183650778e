-- What people and the device did or said, as words of the contract; free text stays in the log.
SELECT at AS "time", type, source,
       concat_ws(', ', content ->> 'mode', content ->> 'kind', content ->> 'code', content ->> 'scale', content ->> 'score',
                 content ->> 'ledger', content ->> 'value_ul', content ->> 'filled_ml', content ->> 'concentration_ug_ml',
                 content ->> 'programmed_ul', content ->> 'cause') AS what,
       received
FROM clinical_event
WHERE pump = ${pump:sqlstring} AND $__timeFilter(at)
ORDER BY at DESC, id
LIMIT 500
