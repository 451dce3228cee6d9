"""Limits, exposure, breakers and the last gate before an order."""
