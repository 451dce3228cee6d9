"""Venues: per venue a sans-IO codec, a catalogue and transports; and the pool policy."""
