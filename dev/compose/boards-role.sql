-- The role of Grafana's data source: made or brought up to date at every start of the composition, so that a new table can
-- be read and a new password holds. It cannot write, and sees no table that has to do with who may log in.
\set ON_ERROR_STOP on
\set password `cat /run/secrets/grafana_database_password`

BEGIN;
SELECT 'CREATE ROLE boards LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'boards') \gexec
ALTER ROLE boards PASSWORD :'password';
ALTER ROLE boards CONNECTION LIMIT 20;
ALTER ROLE boards SET default_transaction_read_only = on;
ALTER ROLE boards SET statement_timeout = '30s';
GRANT USAGE ON SCHEMA public TO boards;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO boards;
SELECT format('REVOKE ALL ON public.%I FROM boards', relname)
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND relname ~ 'token|login|session' \gexec
COMMIT;
