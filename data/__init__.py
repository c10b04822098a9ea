"""The warehouse and how data enters it; nothing here depends on a metric."""
