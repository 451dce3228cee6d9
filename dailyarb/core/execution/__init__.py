"""The order machine and pairs."""
