-- What was received since $1. What is measured is received within days as a rule: older chunks are not read for it.
SELECT count(*) AS events, coalesce(sum(cardinality(rows_at)), 0) AS samples, max(received) AS newest
FROM events
WHERE received > $1 AND at > $1 - interval '7 days'
