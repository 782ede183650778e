-- Telemetry of a pump from $2 to $3 in buckets of $4 seconds: mean, least and greatest of each channel, in the contract's order.
-- A frame lasts at most the pump's `longest_us`: what begins earlier than that before $2 need not be opened.
SELECT time_bucket(make_interval(secs => $4), at) AS bucket, count(*) AS rows,
       avg(delivered_ul), min(delivered_ul), max(delivered_ul),
       avg(flow_ul_h), min(flow_ul_h), max(flow_ul_h),
       avg(reservoir_ml), min(reservoir_ml), max(reservoir_ml),
       avg(pressure_kpa), min(pressure_kpa), max(pressure_kpa),
       avg(inlet_kpa), min(inlet_kpa), max(inlet_kpa),
       avg(motor_ma), min(motor_ma), max(motor_ma),
       avg(motor_v), min(motor_v), max(motor_v),
       avg(vibration_g), min(vibration_g), max(vibration_g),
       avg(vibration2_g), min(vibration2_g), max(vibration2_g),
       avg(temperature_c), min(temperature_c), max(temperature_c),
       avg(fluid_c), min(fluid_c), max(fluid_c),
       avg(battery_v), min(battery_v), max(battery_v),
       avg(stalled), min(stalled), max(stalled)
FROM samples
WHERE pump = $1 AND at BETWEEN $2 AND $3 AND event_at <= $3
  AND event_at >= $2 - (SELECT coalesce(max(longest_us), 0) FROM state WHERE pump = $1) * INTERVAL '1 microsecond'
GROUP BY 1
ORDER BY 1
