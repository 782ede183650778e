-- The console: which alerts are open without a look at all that ever were, login links, and when input was quarantined.

-- An alert is open while its last believed line is not `cleared`. To find that out from the lines costs more with every
-- alert in history, so the statement that writes lines keeps the list: by a trigger, since there is more than one writer
-- (a commit, a rebuild, a person's repair) and a page must not be missed because one of them forgot.
CREATE TABLE alert_open (
    run_id int NOT NULL,
    alert_id text COLLATE "C" NOT NULL,
    pump text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    cause text COLLATE "C" NOT NULL,
    ordinal int NOT NULL,
    PRIMARY KEY (run_id, alert_id)
);
COMMENT ON TABLE alert_open IS 'The key of the last believed line of each alert whose state is not cleared; kept by triggers of table alert.';

CREATE FUNCTION alert_open_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM alert_open o USING touched t WHERE o.run_id = t.run_id AND o.alert_id = t.alert_id;
    INSERT INTO alert_open (run_id, alert_id, pump, at, cause, ordinal)
    SELECT k.run_id, k.alert_id, latest.pump, latest.at, latest.cause, latest.ordinal
    FROM (SELECT DISTINCT run_id, alert_id FROM touched) k
    CROSS JOIN LATERAL (
        SELECT a.pump, a.at, a.cause, a.ordinal, a.state FROM alert a
        WHERE a.alert_id = k.alert_id AND a.run_id = k.run_id AND a.believed_to IS NULL
        ORDER BY a.at DESC, a.ordinal DESC LIMIT 1
    ) latest
    WHERE latest.state <> 'cleared';
    RETURN NULL;
END
$$;
CREATE TRIGGER alert_open_insert AFTER INSERT ON alert
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION alert_open_keep();
CREATE TRIGGER alert_open_update AFTER UPDATE ON alert
    REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION alert_open_keep();
CREATE TRIGGER alert_open_delete AFTER DELETE ON alert
    REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION alert_open_keep();

INSERT INTO alert_open (run_id, alert_id, pump, at, cause, ordinal)
SELECT run_id, alert_id, pump, at, cause, ordinal
FROM (
    SELECT DISTINCT ON (run_id, alert_id) run_id, alert_id, pump, at, cause, ordinal, state FROM alert
    WHERE believed_to IS NULL ORDER BY run_id, alert_id, at DESC, ordinal DESC
) latest
WHERE state <> 'cleared';

CREATE OR REPLACE VIEW alert_now AS
SELECT a.pump, a.at, a.cause, a.alert_id, a.ordinal, a.state, a.priority, a.since, a.harm_at_lo, a.harm_at_hi, a.text,
       a.believed_from, a.line, a.written_at
FROM run r
JOIN alert_open o ON o.run_id = r.run_id
JOIN alert a ON a.pump = o.pump AND a.at = o.at AND a.cause = o.cause AND a.alert_id = o.alert_id
            AND a.ordinal = o.ordinal AND a.run_id = o.run_id AND a.believed_to IS NULL
WHERE r.current;

-- A link that logs a person in once: the token it stands for, sealed with a key that only the link itself holds.
CREATE TABLE login_link (
    hash bytea PRIMARY KEY,
    sealed bytea NOT NULL,
    expires timestamptz NOT NULL
);

-- `believed_from` is in `received` time, which a replay sets. NULL: before this column.
ALTER TABLE quarantine ADD COLUMN written_at timestamptz;
ALTER TABLE quarantine ALTER COLUMN written_at SET DEFAULT now();
CREATE INDEX quarantine_written_at ON quarantine (written_at);
