"""What was: the ClickHouse tables, the archive writer, and SQL over them."""
