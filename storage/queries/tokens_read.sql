SELECT id, hash, label, pumps, sites, types, replay, role, created, revoked FROM token ORDER BY created, id
