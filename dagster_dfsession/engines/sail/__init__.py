"""Sail: plans of DataFusion on many machines, spoken to in Spark's SQL."""
