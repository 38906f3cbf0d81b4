"""The probes, one small function each; ``catalog`` lists them."""
