"""Messages as tables: the one column table, and the ways from messages to Arrow to pandas and back. No I/O here."""
