"""The IO manager."""
