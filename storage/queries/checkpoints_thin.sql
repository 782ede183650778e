-- Before each new checkpoint: of the 3 days before it the first of each UTC day stays, of what is 35 to 100 days old the
-- first of each 30 days. What is thinned at every step needs no look at the whole.
DELETE FROM checkpoint c
USING unnest($1::text[], $2::int8[]) AS n(pump, head_us)
WHERE c.pump = n.pump
  AND (c.head_us < n.head_us AND c.head_us >= n.head_us - 3 * 86400000000
       AND EXISTS (SELECT FROM checkpoint e WHERE e.pump = c.pump AND e.head_us < c.head_us
                   AND e.head_us >= c.head_us - mod(c.head_us, 86400000000))
       OR c.head_us < n.head_us - 35 * 86400000000 AND c.head_us >= n.head_us - 100 * 86400000000
       AND EXISTS (SELECT FROM checkpoint e WHERE e.pump = c.pump AND e.head_us < c.head_us
                   AND e.head_us >= c.head_us - mod(c.head_us, 30 * 86400000000)))
