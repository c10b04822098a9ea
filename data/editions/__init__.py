"""The engine (the only home of duckdb) and the immutable editions of the warehouse."""
