"""Binance spot: the reference. Read only: no account, no order."""
