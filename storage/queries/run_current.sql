SELECT run_id FROM run WHERE current
