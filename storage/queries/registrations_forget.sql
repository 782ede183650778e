DELETE FROM pump WHERE ($1::text[] IS NULL OR pump = ANY ($1)) AND pump <> ALL ($2::text[])
