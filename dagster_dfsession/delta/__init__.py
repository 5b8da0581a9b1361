"""Delta Lake as a library: where tables are, what a write replaces, what it left."""
