INSERT INTO run (run_id, reason) SELECT max(run_id) + 1, $1 FROM run RETURNING run_id
