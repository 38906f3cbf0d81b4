"""Reading a body: its right form, two messages side by side, and edits for a repair."""
