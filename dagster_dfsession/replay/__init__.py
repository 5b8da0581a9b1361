"""Running again what a record says, and comparing it with what was written."""
