"""Numbers with a source: fair value, volatility, lag."""
