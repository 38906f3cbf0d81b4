"""SQL over captures and frames."""
