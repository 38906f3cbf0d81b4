"""The message browser: the table of messages, and what is found, selected and marked in it."""
