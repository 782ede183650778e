-- One publisher at a time; the key is 'facts' in ASCII. The lock ends with the session, and a session whose machine went
-- away ends within a minute, not within the hours of TCP's defaults.
SELECT set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '45000', false),
       pg_try_advisory_lock(439720572019) AS held
