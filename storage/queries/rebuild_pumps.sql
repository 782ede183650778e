-- Every pump of the log, with the partition that its records come in (null: table state does not know).
SELECT known.pump, s."partition"
FROM (SELECT DISTINCT pump FROM event_ids) AS known
LEFT JOIN state s ON s.topic = $1 AND s.pump = known.pump
ORDER BY known.pump COLLATE "C"
