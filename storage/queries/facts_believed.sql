SELECT kind, pump, at, cause, alert_id, ordinal, line
FROM (
    SELECT 'dose' AS kind, pump, at, '' AS cause, '' AS alert_id, ordinal, line FROM dose
    WHERE ($1::timestamptz IS NULL OR at <= $1) AND believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
    UNION ALL
    SELECT 'forecast', pump, at, '', '', ordinal, line FROM forecast
    WHERE ($1::timestamptz IS NULL OR at <= $1) AND believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
    UNION ALL
    SELECT 'alert', pump, at, cause, alert_id, ordinal, line FROM alert
    WHERE ($1::timestamptz IS NULL OR at <= $1) AND believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
) AS facts
ORDER BY at, pump, kind COLLATE "C", cause COLLATE "C", alert_id COLLATE "C", ordinal
