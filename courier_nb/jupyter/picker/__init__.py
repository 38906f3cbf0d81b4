"""Picking a destination: the list, its counts, the names used before."""
