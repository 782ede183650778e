UPDATE run SET current = true WHERE run_id = $1
