-- What was said, by run (a fold of the log by one version of the rules) and by belief (what came late changes it).

CREATE TABLE run (
    run_id int PRIMARY KEY,
    reason text NOT NULL,
    started timestamptz NOT NULL DEFAULT now(),
    current boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX run_one_current ON run (current) WHERE current;
INSERT INTO run (run_id, reason, current) VALUES (1, 'live from the first event', true);

CREATE TABLE dose (
    run_id int NOT NULL,
    pump text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    ordinal int NOT NULL,
    believed_from timestamptz NOT NULL,
    believed_to timestamptz,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    programmed_ul float8,
    programmed_ug float8,
    sensed_ul float8,
    sensed_ug float8,
    tip_ug float8,
    bolus_ul float8,
    priming_ul float8,
    coverage float8,
    line text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX dose_believed ON dose (pump, at, ordinal, run_id) WHERE believed_to IS NULL;

CREATE TABLE forecast (
    run_id int NOT NULL,
    pump text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    ordinal int NOT NULL,
    believed_from timestamptz NOT NULL,
    believed_to timestamptz,
    flow_ratio float8,
    flow_ratio_lo float8,
    flow_ratio_hi float8,
    empty_at_p05 timestamptz,
    empty_at_p50 timestamptz,
    empty_at_p95 timestamptz,
    device_alarm_at timestamptz,
    dry_before_alarm float8,
    refill_due timestamptz,
    refill_due_reason text,
    line text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX forecast_believed ON forecast (pump, at, ordinal, run_id) WHERE believed_to IS NULL;

CREATE TABLE alert (
    run_id int NOT NULL,
    pump text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL,
    cause text COLLATE "C" NOT NULL,
    alert_id text COLLATE "C" NOT NULL,
    ordinal int NOT NULL,
    believed_from timestamptz NOT NULL,
    believed_to timestamptz,
    state text COLLATE "C" NOT NULL,
    priority text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    harm_at_lo timestamptz,
    harm_at_hi timestamptz,
    text text NOT NULL,
    line text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX alert_believed ON alert (pump, at, cause, alert_id, ordinal, run_id) WHERE believed_to IS NULL;
CREATE INDEX alert_latest ON alert (alert_id, at, ordinal) WHERE believed_to IS NULL;

-- Facts on their way to the facts topic: written with the facts, deleted once the broker has them. The id is the same
-- however often the same change is computed, so that a consumer can drop what it has seen.
CREATE TABLE outbox (
    "position" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL,
    change text NOT NULL CHECK (change IN ('added', 'superseded')),
    kind text NOT NULL,
    pump text NOT NULL,
    believed timestamptz NOT NULL,
    line text NOT NULL
);
