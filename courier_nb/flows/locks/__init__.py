"""Locks of what is held: kept alive, remembered, given back."""
