"""What Dagster's event log knows of past materializations."""
