-- Time from told to the first answer, by the day on which they were told; high and medium only: nobody waits for the others.
SELECT date_trunc('day', told_at, 'UTC') AS "time",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY to_answer_s) AS "p50",
       percentile_cont(0.95) WITHIN GROUP (ORDER BY to_answer_s) AS "p95"
FROM kpi_alert
WHERE $__timeFilter(told_at) AND site IN (${site:sqlstring}) AND priority IN ('high', 'medium') AND to_answer_s IS NOT NULL
GROUP BY 1
ORDER BY 1
