"""Cash, positions and P&L: a pure fold of records."""
