"""Rulebooks, the simulator of thresholds, and compliance with the service rules."""
