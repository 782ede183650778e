SELECT blob FROM state WHERE topic = $1 AND "partition" = $2 AND pump = $3
