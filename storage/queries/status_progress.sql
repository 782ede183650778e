SELECT "partition", next_offset, committed_at FROM progress WHERE topic = $1 ORDER BY "partition"
