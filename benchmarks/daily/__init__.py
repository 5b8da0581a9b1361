"""Daily partitions as two assets, for this project and for others."""
