SELECT pump, blob FROM state WHERE topic = $1 AND "partition" = $2 AND blob IS NOT NULL
