SELECT payload FROM events WHERE pump = $1 AND type = 'pump_registered' AND counts ORDER BY at DESC LIMIT 1
