SELECT pump, at, cause, alert_id, state, priority, since, harm_at_lo, harm_at_hi, text FROM alert_now
