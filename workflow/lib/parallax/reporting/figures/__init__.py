"""The report's figures, one per file: pure functions from shown tables to a matplotlib figure."""
