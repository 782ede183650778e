DELETE FROM checkpoint c
USING unnest($1::text[], $2::int8[]) AS d(pump, after_us)
WHERE c.pump = d.pump AND c.head_us > d.after_us
