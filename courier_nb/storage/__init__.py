"""What is kept on disk: captures (Parquet parts and the spool before them) and the replay ledger."""
