"""Fuzzers: long commands of their own, short runs of them among the quick tests."""
