"""The boards of the migration page."""
