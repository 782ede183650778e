-- A worker frozen in mid-commit holds the partition's row for as long as it sleeps. Whoever owns the partition by now may
-- end it: behind the compare-and-set a worker that was only slow loses nothing but time.
SELECT pg_terminate_backend(a.pid)
FROM pg_stat_activity a
JOIN pg_locks l ON l.pid = a.pid AND l.relation = 'progress'::regclass AND l.mode = 'RowExclusiveLock' AND l.granted
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND a.xact_start < clock_timestamp() - $1 * interval '1 millisecond'
