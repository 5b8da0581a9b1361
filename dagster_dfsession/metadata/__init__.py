"""Everything that becomes Dagster metadata; every key is in `keys`, once."""
