-- The last forecast in each span of $4 seconds between $2 and $3, oldest first.
SELECT at, flow_ratio, flow_ratio_lo, flow_ratio_hi, empty_at_p05, empty_at_p50, empty_at_p95, device_alarm_at,
       dry_before_alarm, refill_due, refill_due_reason
FROM (SELECT DISTINCT ON (time_bucket(make_interval(secs => $4), f.at)) f.*
      FROM forecast f
      JOIN run r ON r.run_id = f.run_id AND r.current
      WHERE f.pump = $1 AND f.at > $2 AND f.at <= $3 AND f.believed_to IS NULL
      ORDER BY time_bucket(make_interval(secs => $4), f.at), f.at DESC, f.ordinal DESC) kept
ORDER BY at
