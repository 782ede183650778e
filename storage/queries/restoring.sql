-- Whether a restore is under way: timescaledb_pre_restore() says so for the whole database, also to older sessions here.
SELECT EXISTS (
    SELECT FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND 'timescaledb.restoring=on' = ANY (setconfig)
)
