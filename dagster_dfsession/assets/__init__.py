"""Assets that are written as SQL."""
