"""Venues that do not exist: sans-IO models, their loopback servers, and fills on recordings."""
