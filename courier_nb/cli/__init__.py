"""The command line over the blocking face."""
