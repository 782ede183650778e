DELETE FROM checkpoint WHERE pump = $1
