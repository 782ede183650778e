-- States and checkpoints of pumps without a log: nothing says how they came about.
WITH orphans AS (
    DELETE FROM checkpoint c WHERE NOT EXISTS (SELECT FROM event_ids i WHERE i.pump = c.pump)
)
UPDATE state s SET blob = NULL
WHERE s.topic = $1 AND s.blob IS NOT NULL AND NOT EXISTS (SELECT FROM event_ids i WHERE i.pump = s.pump)
