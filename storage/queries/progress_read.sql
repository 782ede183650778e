SELECT next_offset FROM progress WHERE topic = $1 AND "partition" = $2
