"""Data, definitions, assumptions and targets."""
