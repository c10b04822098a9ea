"""The explorer: a metric by up to three dimensions in any order, down to the list."""
