"""Behavioural segments beside the rulebook classes."""
