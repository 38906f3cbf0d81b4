"""How fast the local broker is, and that its cost does not grow with what a queue holds."""
