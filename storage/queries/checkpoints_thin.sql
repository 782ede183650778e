-- Before each new checkpoint: of the 2 days before it the first of each UTC day stays, of what is 35 to 70 days old the
-- first of each 30 days. What is thinned at every step needs no look at the whole. Written as two ranges of the key for
-- each pump: with one condition the planner scans those times of all pumps, 500 times.
DELETE FROM checkpoint
WHERE ctid = ANY (ARRAY(
    SELECT old.ctid
    FROM unnest($1::text[], $2::int8[]) AS n(pump, head_us)
    CROSS JOIN LATERAL (
        SELECT c.ctid FROM checkpoint c
        WHERE c.pump = n.pump AND c.head_us < n.head_us AND c.head_us >= n.head_us - 2 * 86400000000
          AND EXISTS (SELECT FROM checkpoint e WHERE e.pump = n.pump AND e.head_us < c.head_us
                      AND e.head_us >= c.head_us - mod(c.head_us, 86400000000))
        UNION ALL
        SELECT c.ctid FROM checkpoint c
        WHERE c.pump = n.pump AND c.head_us < n.head_us - 35 * 86400000000
          AND c.head_us >= n.head_us - 70 * 86400000000
          AND EXISTS (SELECT FROM checkpoint e WHERE e.pump = n.pump AND e.head_us < c.head_us
                      AND e.head_us >= c.head_us - mod(c.head_us, 30 * 86400000000))
    ) AS old
))
