"""The panels with which something is done: receive, settle, drain, replay, move."""
