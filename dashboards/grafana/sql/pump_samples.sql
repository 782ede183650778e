-- Telemetry in steps of the panel. A frame lies whole in its event, so events are sought from one longest frame before the range.
SELECT $__timeGroupAlias(at, $__interval), {{columns}}
FROM samples
WHERE pump = ${pump:sqlstring} AND $__timeFilter(at)
  AND event_at <= $__timeTo()::timestamptz
  AND event_at >= $__timeFrom()::timestamptz - coalesce(
      (SELECT max(longest_us) FROM state WHERE pump = ${pump:sqlstring}), 0) * interval '1 microsecond'
GROUP BY 1
ORDER BY 1
