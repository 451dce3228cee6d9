"""The console: draws what the engine shows, asks, never decides."""
