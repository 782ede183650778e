SELECT coalesce(max(longest_us), 0) FROM state WHERE pump = $1
