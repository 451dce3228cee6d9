"""The engine: facts in, commands out."""
