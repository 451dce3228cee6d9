"""Benchmarks of our own stages, each beside its peers in one run."""
