-- How alerting itself does: views after ISA-18.2 (IEC 62682) and EEMUA 191, of the current run as believed now.
--
-- | figure | meaning here | source of the limit |
-- | alerts a day and operator | alerts told first on that day; 150 can be managed, 300 are too many | EEMUA 191, ISA-18.2 table 5 |
-- | flood | more than 10 activations in 10 minutes of the clock, at one site | ISA-18.2, EEMUA 191 |
-- | chattering | 3 activations or more of one cause of one pump within a minute | ISA-18.2 |
-- | stale | open for more than 24 hours | ISA-18.2, EEMUA 191 |
--
-- Told: when an operator could first know it, which is when the line was first believed in any run. A daily upload tells a
-- day's alerts at once, and a rebuild tells nothing anew. What a rebuild finds under new rules counts from the rebuild on.
-- Load and floods leave `info` out, since it goes to nobody. A pump without a site is at 'not stated'.

CREATE INDEX alert_told ON alert (alert_id, at, state, believed_from);

CREATE VIEW kpi_activation AS
SELECT l.pump, coalesce(nullif(p.site, ''), 'not stated') AS site, l.cause, l.alert_id, l.priority, l.at, l.was,
       (SELECT min(f.believed_from) FROM alert f
        WHERE f.alert_id = l.alert_id AND f.at = l.at AND f.state = 'active') AS told_at,
       (l.was IS NULL OR l.was = 'pending') AND l.earlier = 0 AS first
FROM (
    SELECT h.pump, h.cause, h.alert_id, h.priority, h.at, h.state, lag(h.state) OVER life AS was,
           count(*) FILTER (WHERE h.state = 'active') OVER (life ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
    FROM alert_history h
    WINDOW life AS (PARTITION BY h.alert_id ORDER BY h.at, h.ordinal)
) l
LEFT JOIN pump p ON p.pump = l.pump
WHERE l.state = 'active' AND l.was IS DISTINCT FROM 'active';
COMMENT ON VIEW kpi_activation IS 'Each time that an alert became active: `first` for the first time, else again, out of the state `was`.';

CREATE VIEW kpi_alert AS
SELECT l.pump, coalesce(nullif(p.site, ''), 'not stated') AS site, l.cause, l.alert_id, l.priority, l.state, l.active_at, t.told_at,
       l.activations, l.re_raised, l.acknowledged, l.shelved, l.answered_at, l.ended_at,
       CASE WHEN l.answered_at >= t.told_at THEN extract(epoch FROM l.answered_at - t.told_at)::float8 END AS to_answer_s,
       extract(epoch FROM coalesce(l.ended_at, now()) - t.told_at)::float8 AS open_s
FROM (
    SELECT a.pump, a.cause, a.alert_id,
           (ARRAY['info', 'low', 'medium', 'high'])[max(array_position(ARRAY['info', 'low', 'medium', 'high'], a.priority::text))]
               AS priority,
           (array_agg(a.state ORDER BY a.at DESC, a.ordinal DESC))[1] AS state,
           min(a.at) FILTER (WHERE a.state = 'active') AS active_at,
           count(*) FILTER (WHERE a.state = 'active' AND a.was IS DISTINCT FROM 'active') AS activations,
           count(*) FILTER (WHERE a.state = 'active' AND a.was IN ('acknowledged', 'shelved')) AS re_raised,
           coalesce(bool_or(a.state = 'acknowledged' OR a.by_answer), false) AS acknowledged,
           coalesce(bool_or(a.state = 'shelved'), false) AS shelved,
           min(a.at) FILTER (WHERE a.state IN ('acknowledged', 'shelved') OR a.by_answer) AS answered_at,
           max(a.at) FILTER (WHERE a.state = 'cleared') AS ended_at
    FROM (
        SELECT h.*, lag(h.state) OVER life AS was, h.state = 'cleared' AND lag(h.state) OVER life = 'latched' AS by_answer
        FROM alert_history h
        WINDOW life AS (PARTITION BY h.alert_id ORDER BY h.at, h.ordinal)
    ) a
    GROUP BY a.pump, a.cause, a.alert_id
) l
CROSS JOIN LATERAL (
    SELECT min(f.believed_from) AS told_at FROM alert f
    WHERE f.alert_id = l.alert_id AND f.at = l.active_at AND f.state = 'active'
) t
LEFT JOIN pump p ON p.pump = l.pump
WHERE l.active_at IS NOT NULL;
COMMENT ON VIEW kpi_alert IS 'One row for each alert that was ever active. Its priority is the highest it had; what is `latched` is cleared by an answer only.';
COMMENT ON COLUMN kpi_alert.to_answer_s IS 'From told to the first acknowledgement or shelving; NULL: none, or by somebody who knew before it was told.';

CREATE VIEW kpi_daily AS
SELECT date_trunc('day', told_at, 'UTC') AS day, site, cause, priority, count(*) AS alerts,
       count(*) FILTER (WHERE acknowledged) AS acknowledged, count(*) FILTER (WHERE shelved) AS shelved,
       count(*) FILTER (WHERE re_raised > 0) AS re_raised,
       count(*) FILTER (WHERE acknowledged OR shelved) AS answered
FROM kpi_alert
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW kpi_daily IS 'Alerts by the UTC day on which they were told first, and what became of them since.';

CREATE VIEW kpi_ten_minutes AS
SELECT time_bucket('10 minutes', told_at) AS start, site, count(*) AS activations, count(*) > 10 AS flood
FROM kpi_activation
WHERE priority <> 'info'
GROUP BY 1, 2;
COMMENT ON VIEW kpi_ten_minutes IS 'Activations in each ten minutes of the clock that had any, and whether that was a flood.';

CREATE VIEW kpi_chattering AS
SELECT pump, site, cause, at, activations
FROM (
    SELECT pump, site, cause, at,
           count(*) OVER (PARTITION BY pump, cause ORDER BY at RANGE BETWEEN CURRENT ROW AND '1 minute' FOLLOWING) AS activations
    FROM kpi_activation
) minutes
WHERE activations >= 3;
COMMENT ON VIEW kpi_chattering IS 'Each activation that begins a minute with three or more of the same pump and cause, by the time of the signal.';

CREATE VIEW kpi_stale AS
SELECT pump, site, cause, alert_id, priority, state, told_at, open_s
FROM kpi_alert
WHERE state <> 'cleared' AND open_s > 86400;
COMMENT ON VIEW kpi_stale IS 'Alerts that have been open for more than 24 hours.';

CREATE VIEW pump_site AS
SELECT k.pump, coalesce(nullif(p.site, ''), 'not stated') AS site
FROM (SELECT pump FROM state UNION SELECT pump FROM pump) k
LEFT JOIN pump p ON p.pump = k.pump;
COMMENT ON VIEW pump_site IS 'Every pump that was ever heard of or registered.';

-- What people and devices said, for the boards. `payload` is the record as it came: MessagePack, or JSON, which may stand on
-- the topic too. A walk through the bytes, not a search: free text cannot pass for a field.

CREATE FUNCTION wire_float(bits bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- IEEE 754, big-endian; only finite numbers are in events, NaN and infinity become null.
    SELECT CASE
        WHEN exponent = 2047 THEN NULL
        WHEN exponent = 0 THEN to_jsonb(sign * fraction * power(2::float8, -1022))
        ELSE to_jsonb(sign * (1 + fraction) * power(2::float8, exponent - 1023))
    END
    FROM (
        SELECT CASE WHEN get_byte(bits, 0) > 127 THEN -1 ELSE 1 END AS sign,
               (get_byte(bits, 0) & 127) * 16 + (get_byte(bits, 1) >> 4) AS exponent,
               (('x0' || substr(encode(bits, 'hex'), 4))::bit(56)::int8)::float8 / power(2::float8, 52) AS fraction
    ) AS parts
$$;

CREATE FUNCTION wire_member(record bytea, start int, OUT member jsonb, OUT next int)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    head int := get_byte(record, start);
    wide int;
    size int;
    whole int8 := 0;
    part record;
    name text;
BEGIN
    next := start + 1;
    -- A length: in the head itself, or in the 1, 2 or 4 bytes behind it.
    IF head BETWEEN 128 AND 159 THEN
        size := head & 15;
    ELSIF head BETWEEN 160 AND 191 THEN
        size := head & 31;
    ELSIF head IN (196, 197, 198, 217, 218, 219, 220, 221, 222, 223) THEN
        wide := CASE WHEN head IN (196, 217) THEN 1 WHEN head IN (197, 218, 220, 222) THEN 2 ELSE 4 END;
        size := ('x' || lpad(encode(substr(record, next + 1, wide), 'hex'), 8, '0'))::bit(32)::int;
        next := next + wide;
    END IF;

    CASE
    WHEN head <= 127 THEN
        member := to_jsonb(head);
    WHEN head >= 224 THEN
        member := to_jsonb(head - 256);
    WHEN head = 192 THEN
        member := 'null';
    WHEN head IN (194, 195) THEN
        member := to_jsonb(head = 195);
    WHEN head = 203 THEN
        member := coalesce(wire_float(substr(record, next + 1, 8)), 'null');
        next := next + 8;
    WHEN head BETWEEN 204 AND 211 THEN  -- an integer of 1, 2, 4 or 8 bytes, from 208 on with a sign
        wide := 1 << ((head - 204) % 4);
        FOR place IN 0..wide - 1 LOOP
            whole := (whole << 8) | get_byte(record, next + place);
        END LOOP;
        IF head >= 208 AND wide < 8 AND get_byte(record, next) > 127 THEN
            whole := whole - (1::int8 << (8 * wide));
        END IF;
        member := to_jsonb(whole);
        next := next + wide;
    WHEN head BETWEEN 160 AND 191 OR head BETWEEN 217 AND 219 THEN
        member := to_jsonb(convert_from(substr(record, next + 1, size), 'UTF8'));
        next := next + size;
    WHEN head BETWEEN 196 AND 198 THEN  -- columns of telemetry: the table has them as arrays
        member := 'null';
        next := next + size;
    WHEN head BETWEEN 144 AND 159 OR head IN (220, 221) THEN
        member := '[]';
        FOR _ IN 1..size LOOP
            part := wire_member(record, next);
            member := member || jsonb_build_array(part.member);
            next := part.next;
        END LOOP;
    WHEN head BETWEEN 128 AND 143 OR head IN (222, 223) THEN
        member := '{}';
        FOR _ IN 1..size LOOP
            part := wire_member(record, next);
            name := part.member #>> '{}';
            part := wire_member(record, part.next);
            member := member || jsonb_build_object(name, part.member);
            next := part.next;
        END LOOP;
    ELSE
        RAISE EXCEPTION 'no event carries MessagePack type %', head;
    END CASE;
    IF next > length(record) THEN
        RAISE EXCEPTION 'the record ends within a field';
    END IF;
END
$$;

CREATE FUNCTION wire_json(record bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF get_byte(record, 0) = 123 THEN  -- {
        RETURN convert_from(record, 'UTF8')::jsonb;
    END IF;
    RETURN (wire_member(record, 0)).member;
EXCEPTION WHEN data_exception OR raise_exception OR statement_too_complex THEN
    RETURN NULL;  -- such as a text with a NUL, which jsonb cannot hold: one row of a board without its words
END
$$;
COMMENT ON FUNCTION wire_json IS 'An event''s fields out of its record; NULL where they cannot be told.';

CREATE VIEW clinical_event AS
SELECT e.pump, e.at, e.received, e.type, e.source, e.id, wire_json(e.payload) AS content
FROM events e
WHERE e.counts AND e.rows_at IS NULL;
COMMENT ON VIEW clinical_event IS 'What is not telemetry. `content` costs a walk through the record, only where it is asked for.';

CREATE INDEX events_answers ON events (at) WHERE type IN ('alert_ack', 'alert_shelved');

CREATE VIEW kpi_answer AS
SELECT e.pump, coalesce(nullif(p.site, ''), 'not stated') AS site, e.at, e.type, e.id, coalesce(e.content ->> 'actor', '') AS actor,
       e.content ->> 'alert_id' AS alert_id, e.content ->> 'cause' AS cause
FROM clinical_event e
LEFT JOIN pump p ON p.pump = e.pump
WHERE e.type IN ('alert_ack', 'alert_shelved');
COMMENT ON VIEW kpi_answer IS 'Who acknowledged or shelved when: `actor` is the label of the token, '''' where none was stated. Reasons stay in the log.';

CREATE VIEW kpi_operator_daily AS
SELECT d.day, d.alerts, coalesce(o.operators, 0) AS operators, d.alerts / greatest(coalesce(o.operators, 0), 1)::float8 AS alerts_an_operator
FROM (SELECT day, sum(alerts)::int8 AS alerts FROM kpi_daily WHERE priority <> 'info' GROUP BY day) d
LEFT JOIN (
    SELECT date_trunc('day', at, 'UTC') AS day, count(DISTINCT actor) AS operators FROM kpi_answer GROUP BY 1
) o ON o.day = d.day;
COMMENT ON VIEW kpi_operator_daily IS 'Load: alerts of a UTC day on each person who answered any that day, on one where nobody did. EEMUA 191: 150 can be managed, 300 cannot.';
