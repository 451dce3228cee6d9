"""Polymarket: markets, books, own orders and the settling feed."""
