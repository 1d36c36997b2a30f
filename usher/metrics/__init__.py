"""Metrics and probes: what monitoring sees of the daemon."""
