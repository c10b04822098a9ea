"""The selection in the URL, cached queries, and navigation."""
