-- Alerts as spans on every panel: from active to cleared, or to now.
SELECT active_at AS "time", coalesce(ended_at, now()) AS timeend, replace(cause, '_', ' ') AS text, priority AS tags
FROM kpi_alert
WHERE pump = ${pump:sqlstring} AND active_at <= $__timeTo()::timestamptz
  AND coalesce(ended_at, now()) >= $__timeFrom()::timestamptz
ORDER BY 1
LIMIT 500
