-- The head state of one pump; of several, after partitions were added, the one with the newest partition's number.
SELECT blob FROM state WHERE topic = $1 AND pump = $2 AND blob IS NOT NULL ORDER BY "partition" DESC LIMIT 1
