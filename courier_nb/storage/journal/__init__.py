"""The journal: one hash-chained record of what was asked of the broker."""
