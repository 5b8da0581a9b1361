"""The running step: which it is, its partitions, what Dagster is told of it."""
