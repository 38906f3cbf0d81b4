"""Benchmarks. Each is a command of its own: ``python -m benchmarks.broker``."""
