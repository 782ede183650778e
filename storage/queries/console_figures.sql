-- What the store says of itself. The outbox is counted up to 100,000: beyond that more is not worth its cost.
SELECT (SELECT count(*) FROM (SELECT FROM outbox LIMIT 100000) AS waiting) AS outbox_waiting,
       pg_database_size(current_database()) AS database_bytes,
       (SELECT count(*) FROM quarantine WHERE written_at > now() - interval '10 minutes') AS quarantined_recent
