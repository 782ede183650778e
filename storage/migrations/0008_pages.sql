-- What the pages ask again and again: when alerts began, newest first, and a pump's clinical events among its frames.

-- An alert's first line is the one at its `since`; several lines may share that time.
CREATE INDEX alert_begun ON alert (since DESC, alert_id) WHERE believed_to IS NULL AND at = since;
CREATE INDEX events_clinical ON events (pump, at DESC) WHERE type <> 'telemetry';
