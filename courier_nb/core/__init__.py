"""Foundations that import nothing of ours: errors, units, clock, messages, settings, the background loop."""
