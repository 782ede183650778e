-- Every line that was written of this pump's alerts in the range.
SELECT at AS "time", cause, state, priority, text, harm_at_lo AS "harm from", harm_at_hi AS "harm to", believed_from AS "told"
FROM alert_history
WHERE pump = ${pump:sqlstring} AND $__timeFilter(at)
ORDER BY at DESC, cause, ordinal DESC
LIMIT 500
