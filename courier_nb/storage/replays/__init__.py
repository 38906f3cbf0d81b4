"""The replay ledger."""
