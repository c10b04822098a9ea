"""Integer keys, dimensions, duplicates and the versions of customers."""
