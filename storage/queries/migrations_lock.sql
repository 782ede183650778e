-- Two migrators at once: the second waits, then finds everything applied. The key is 'theca' in ASCII.
SELECT pg_advisory_lock(499968402273)
