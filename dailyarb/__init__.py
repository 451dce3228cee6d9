"""dailyarb: a terminal console and engine for short-dated crypto binaries."""

__version__ = "0.1.0"
