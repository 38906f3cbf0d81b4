"""What the broker remembers: queues, exchanges and messages in SQLite, changed by one thread."""
