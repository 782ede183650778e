-- What people and the device said of the reservoir: fills, and levels that the device reported by itself.
SELECT at AS "time",
       CASE type WHEN 'reservoir_filled' THEN (content ->> 'filled_ml')::float8 END AS "filled",
       CASE type WHEN 'volume_reported' THEN (content ->> 'value_ul')::float8 / 1000 END AS "stated by the device"
FROM clinical_event
WHERE pump = ${pump:sqlstring} AND $__timeFilter(at)
  AND (type = 'reservoir_filled' OR (type = 'volume_reported' AND content ->> 'ledger' = 'reservoir'))
ORDER BY 1
