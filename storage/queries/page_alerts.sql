-- Alerts by when they began, newest first, with their last line. NULL = do not ask for it.
-- $1 part of a pump's name  $2 cause  $3 site  $4 priority  $5 from  $6 to  $7, $8 pumps and sites that may be seen
-- $9 state, `open` for all but cleared  $10, $11 continue after this `since` and alert_id  $12 how many  $13 exactly this pump
SELECT last.pump, p.site, last.cause, begun.alert_id, last.state, last.priority, begun.since, last.at,
       last.harm_at_lo, last.harm_at_hi, last.text
FROM (SELECT DISTINCT a.since, a.alert_id, a.pump, a.cause, a.run_id
      FROM alert a
      JOIN run r ON r.run_id = a.run_id AND r.current
      WHERE a.believed_to IS NULL AND a.at = a.since
        AND ($1::text IS NULL OR strpos(lower(a.pump), lower($1)) > 0)
        AND ($13::text IS NULL OR a.pump = $13)
        AND ($2::text IS NULL OR a.cause = $2)
        AND ($5::timestamptz IS NULL OR a.since >= $5)
        AND ($6::timestamptz IS NULL OR a.since < $6)
        AND ($10::timestamptz IS NULL OR a.since < $10 OR (a.since = $10 AND a.alert_id > $11::text COLLATE "C"))
      ORDER BY a.since DESC, a.alert_id) begun
CROSS JOIN LATERAL (
      SELECT l.* FROM alert l
      WHERE l.alert_id = begun.alert_id AND l.run_id = begun.run_id AND l.believed_to IS NULL
      ORDER BY l.at DESC, l.ordinal DESC LIMIT 1) last
LEFT JOIN pump p ON p.pump = begun.pump
WHERE ($3::text IS NULL OR p.site = $3)
  AND ($4::text IS NULL OR last.priority = $4)
  AND (($7::text[] IS NULL AND $8::text[] IS NULL) OR begun.pump = ANY ($7) OR p.site = ANY ($8))
  AND ($9::text IS NULL OR last.state = $9 OR ($9 = 'open' AND last.state <> 'cleared'))
ORDER BY begun.since DESC, begun.alert_id
LIMIT $12
