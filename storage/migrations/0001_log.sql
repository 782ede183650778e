-- The log of record, where each partition stands, and the states folded from the log.
-- Names sort by bytes everywhere (COLLATE "C"), whatever the database's locale, as the contract orders facts.
-- Only what the Apache edition of TimescaleDB has.
CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE progress (
    topic text COLLATE "C" NOT NULL,
    "partition" int NOT NULL,
    next_offset bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, "partition")
) WITH (fillfactor = 50);
COMMENT ON TABLE progress IS 'The commit point: records below next_offset are in the database, whatever Kafka''s group committed.';

CREATE TABLE events (
    at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    raw_at timestamptz NOT NULL,
    raw_last_at timestamptz NOT NULL,
    received timestamptz,
    offset_us bigint NOT NULL,
    seq bigint,
    digest uuid NOT NULL,
    counts boolean NOT NULL,
    pump text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    rows_at timestamptz[],
    delivered_ul float8[],
    flow_ul_h float8[],
    reservoir_ml float8[],
    pressure_kpa float8[],
    inlet_kpa float8[],
    motor_ma float8[],
    motor_v float8[],
    vibration_g float8[],
    vibration2_g float8[],
    temperature_c float8[],
    fluid_c float8[],
    battery_v float8[],
    stalled float8[]
);
COMMENT ON TABLE events IS 'The log of record: every event as it came (payload: the wire bytes), with corrected times and telemetry as arrays (NaN = not reported).';
COMMENT ON COLUMN events.at IS 'Corrected time of the first row, or of the event itself.';
COMMENT ON COLUMN events.counts IS 'False: kept and exported, but no part of the fold (lost a conflict of ids, or repeats known rows).';
COMMENT ON COLUMN events.digest IS '16 bytes over the content without received.';

-- lz4 gives up on what does not compress without pglz's cost: a COPY of frames of 240 samples takes half the time.
ALTER TABLE events
    ALTER COLUMN payload SET COMPRESSION lz4,
    ALTER COLUMN rows_at SET COMPRESSION lz4,
    ALTER COLUMN delivered_ul SET COMPRESSION lz4,
    ALTER COLUMN flow_ul_h SET COMPRESSION lz4,
    ALTER COLUMN reservoir_ml SET COMPRESSION lz4,
    ALTER COLUMN pressure_kpa SET COMPRESSION lz4,
    ALTER COLUMN inlet_kpa SET COMPRESSION lz4,
    ALTER COLUMN motor_ma SET COMPRESSION lz4,
    ALTER COLUMN motor_v SET COMPRESSION lz4,
    ALTER COLUMN vibration_g SET COMPRESSION lz4,
    ALTER COLUMN vibration2_g SET COMPRESSION lz4,
    ALTER COLUMN temperature_c SET COMPRESSION lz4,
    ALTER COLUMN fluid_c SET COMPRESSION lz4,
    ALTER COLUMN battery_v SET COMPRESSION lz4,
    ALTER COLUMN stalled SET COMPRESSION lz4;

SELECT create_hypertable('events', by_range('at', INTERVAL '7 days'), create_default_indexes => false);
CREATE INDEX events_pump_at ON events (pump, at);

-- Ids for as long as the events, and the tripwire against storing an event twice: an event's corrected time can change,
-- so a unique key of the hypertable, which must contain that time, could not be one.
CREATE TABLE event_ids (
    pump text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    digest uuid NOT NULL,
    at timestamptz NOT NULL,
    received timestamptz,
    counts boolean NOT NULL,
    PRIMARY KEY (pump, id, digest)
);

CREATE TABLE quarantine (
    "position" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text COLLATE "C" NOT NULL,
    "partition" int NOT NULL,
    "offset" bigint NOT NULL,
    believed_from timestamptz NOT NULL,
    pump text,
    id text,
    at timestamptz,
    reason text NOT NULL,
    text text NOT NULL,
    payload bytea NOT NULL
);
COMMENT ON TABLE quarantine IS 'Input that took no part, with the reason and its bytes as they came.';

-- A head state is rewritten in each transaction. Inline and uncompressed, with room beside it, the new version lands on
-- the same page (HOT) and touches no index and no TOAST table.
CREATE TABLE state (
    topic text COLLATE "C" NOT NULL,
    "partition" int NOT NULL,
    pump text COLLATE "C" NOT NULL,
    longest_us bigint NOT NULL DEFAULT 0,
    blob bytea,
    PRIMARY KEY (topic, "partition", pump)
) WITH (fillfactor = 50, toast_tuple_target = 8160);
ALTER TABLE state ALTER COLUMN blob SET STORAGE EXTERNAL;
COMMENT ON COLUMN state.longest_us IS 'Longest time from the first to the last row of any event of this pump: how far before a time its events may begin.';

CREATE TABLE checkpoint (
    pump text COLLATE "C" NOT NULL,
    head_us bigint NOT NULL,
    max_seq bigint NOT NULL,
    max_raw_us bigint NOT NULL,
    blob bytea NOT NULL,
    PRIMARY KEY (pump, head_us)
) WITH (toast_tuple_target = 8160);
ALTER TABLE checkpoint ALTER COLUMN blob SET STORAGE EXTERNAL;
