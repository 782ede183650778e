DELETE FROM login_link WHERE hash = $1 RETURNING sealed, expires
