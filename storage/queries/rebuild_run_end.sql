UPDATE run SET current = false WHERE current
