SELECT site FROM pump WHERE pump = $1
