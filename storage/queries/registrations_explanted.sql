-- Written apart from the registration: migration 0005 fills the table before it has this column.
UPDATE pump p
SET explanted = EXISTS (SELECT FROM events e WHERE e.pump = p.pump AND e.type = 'pump_explanted' AND e.counts)
WHERE p.pump = ANY ($1)
