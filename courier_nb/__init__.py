"""Jupyter tooling for Anypoint MQ."""
