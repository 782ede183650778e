UPDATE token SET revoked = $2 WHERE id = $1 AND revoked IS NULL RETURNING id
