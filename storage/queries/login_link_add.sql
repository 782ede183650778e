WITH expired AS (DELETE FROM login_link WHERE expires < now() - interval '1 hour')
INSERT INTO login_link (hash, sealed, expires) VALUES ($1, $2, $3)
