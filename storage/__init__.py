"""What remembers: migrations, queries and the one-transaction commit."""
