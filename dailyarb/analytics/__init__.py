"""Profit and loss, fill quality and reports, from journal and recordings."""
