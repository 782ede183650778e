-- Each pump's registration that counts and comes last in the order of the fold.
SELECT DISTINCT ON (pump) pump, at, payload
FROM events
WHERE type = 'pump_registered' AND counts AND ($1::text[] IS NULL OR pump = ANY ($1))
ORDER BY pump, at DESC, source DESC, seq DESC NULLS LAST, id DESC
