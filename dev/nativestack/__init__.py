"""Apache Kafka and PostgreSQL with TimescaleDB, run natively from one folder: no Docker, no root, nothing installed."""
