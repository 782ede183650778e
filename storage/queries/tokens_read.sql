SELECT id, hash, label, pumps, sites, types, replay, created, revoked FROM token ORDER BY created, id
