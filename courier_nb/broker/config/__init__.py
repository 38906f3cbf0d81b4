"""Settings of the local broker, in Python and in TOML."""
