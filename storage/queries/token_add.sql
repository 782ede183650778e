INSERT INTO token (id, hash, label, pumps, sites, types, replay, created, role)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
