-- Sessions of workers, busy or idle; a frozen or vanished one's stays until the network or somebody ends it.
SELECT pid, coalesce(host(client_addr), 'this machine') AS client FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()
ORDER BY pid
