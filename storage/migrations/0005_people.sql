-- For the people who look and answer: what a pump is, whose token does what, and when a line of an alert was written.

CREATE TABLE pump (
    pump text COLLATE "C" PRIMARY KEY,
    at timestamptz NOT NULL,
    site text COLLATE "C",
    model text NOT NULL,
    reservoir_ml float8 NOT NULL,
    low_reservoir_ml float8 NOT NULL,
    dead_volume_ul float8 NOT NULL,
    min_rate_ul_h float8 NOT NULL,
    max_rate_ul_h float8 NOT NULL,
    flow_tolerance float8 NOT NULL,
    pressure_limit_kpa float8,
    stability_days float8 NOT NULL,
    upload_every_s float8,
    high_risk boolean NOT NULL
);
COMMENT ON TABLE pump IS 'Each pump''s newest registration that counts, kept by the transaction that stores it. NULL = not stated.';

ALTER TABLE token ADD COLUMN role text NOT NULL DEFAULT 'sender'
    CHECK (role IN ('sender', 'viewer', 'operator', 'admin'));
COMMENT ON COLUMN token.role IS 'sender: a relay or program; viewer: a person who reads; operator, admin: who answers alerts, too.';

-- `believed_from` is in `received` time, which a replay sets; delays of people and pages are counted from here.
ALTER TABLE alert ADD COLUMN written_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN alert.written_at IS 'When the transaction that wrote this line began, by the database''s clock.';

-- A registration is looked for once in a while among years of frames.
CREATE INDEX events_registered ON events (pump, at) WHERE type = 'pump_registered';
