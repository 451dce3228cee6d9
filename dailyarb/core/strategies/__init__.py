"""Strategies: pure functions from a scene to intents or one named gate."""
