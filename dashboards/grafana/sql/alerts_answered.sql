-- What became of the alerts that were told in the range.
SELECT site, priority, count(*) AS alerts,
       avg((acknowledged OR shelved)::int)::float8 AS "answered", avg(acknowledged::int)::float8 AS "acknowledged",
       avg(shelved::int)::float8 AS "shelved", avg((re_raised > 0)::int)::float8 AS "raised again after an answer",
       percentile_cont(0.5) WITHIN GROUP (ORDER BY to_answer_s) AS "to answer, p50",
       percentile_cont(0.95) WITHIN GROUP (ORDER BY to_answer_s) AS "to answer, p95"
FROM kpi_alert
WHERE $__timeFilter(told_at) AND site IN (${site:sqlstring})
GROUP BY site, priority
ORDER BY array_position(ARRAY['high', 'medium', 'low', 'info'], priority), alerts DESC
LIMIT 100
