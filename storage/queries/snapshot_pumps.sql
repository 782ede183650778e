-- Every pump that anything is stored of, with the partition that holds its head state (null: it has none).
SELECT known.pump, s."partition"
FROM (
    SELECT DISTINCT pump FROM event_ids
    UNION SELECT DISTINCT pump FROM dose WHERE believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
    UNION SELECT DISTINCT pump FROM forecast WHERE believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
    UNION SELECT DISTINCT pump FROM alert WHERE believed_to IS NULL AND run_id = (SELECT run_id FROM run WHERE current)
    UNION SELECT pump FROM state WHERE topic = $1 AND blob IS NOT NULL
) AS known
LEFT JOIN state s ON s.topic = $1 AND s.pump = known.pump AND s.blob IS NOT NULL
ORDER BY known.pump COLLATE "C"
