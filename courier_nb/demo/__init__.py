"""The demonstration: a backlog, a failing consumer, and what a user does about it."""
