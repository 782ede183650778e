-- Dose windows of a pump between $2 and $3, added up over spans of $4 seconds; a sum in which nothing is known is NULL.
SELECT min(d.from_at) AS from_at, max(d.to_at) AS to_at, sum(d.programmed_ul) AS programmed_ul,
       sum(d.programmed_ug) AS programmed_ug, sum(d.sensed_ul) AS sensed_ul, sum(d.sensed_ug) AS sensed_ug,
       sum(d.tip_ug) AS tip_ug, sum(d.bolus_ul) AS bolus_ul, sum(d.priming_ul) AS priming_ul,
       sum(d.coverage * extract(epoch FROM d.to_at - d.from_at))
           / nullif(sum(extract(epoch FROM d.to_at - d.from_at)), 0) AS coverage
FROM dose_now d
WHERE d.pump = $1 AND d.at > $2 AND d.at <= $3
GROUP BY time_bucket(make_interval(secs => $4), d.from_at)
ORDER BY 1
