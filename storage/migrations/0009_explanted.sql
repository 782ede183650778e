-- A pump that was taken out stays in the log and in table `pump`, but is no part of its site any more: over the years there are
-- more of them than of the others, and a relay behind which every pump is silent would no longer be half of its site.

ALTER TABLE pump ADD COLUMN explanted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN pump.explanted IS 'Whether an event says that it was taken out; kept by the transaction that stores it. That is for good.';
CREATE INDEX events_explanted ON events (pump) WHERE type = 'pump_explanted';
UPDATE pump p SET explanted = true
WHERE EXISTS (SELECT FROM events e WHERE e.pump = p.pump AND e.type = 'pump_explanted' AND e.counts);
