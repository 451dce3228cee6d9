"""Books and references: what may be believed of a price."""
