-- The reservoir's own level readings of a pump from $2 to $3, averaged in buckets of $4 seconds.
SELECT time_bucket(make_interval(secs => $4), at) AS bucket, avg(reservoir_ml)
FROM samples
WHERE pump = $1 AND at BETWEEN $2 AND $3 AND event_at <= $3 AND reservoir_ml IS NOT NULL
  AND event_at >= $2 - (SELECT coalesce(max(longest_us), 0) FROM state WHERE pump = $1) * INTERVAL '1 microsecond'
GROUP BY 1
ORDER BY 1
