-- What was quarantined and why; never what it said.
SELECT reason, count(*) AS records, count(DISTINCT pump) AS pumps, max(written_at) AS newest
FROM quarantine
WHERE $__timeFilter(written_at)
GROUP BY reason
ORDER BY records DESC, reason
LIMIT 20
