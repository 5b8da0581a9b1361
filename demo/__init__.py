"""The demo: a year of flights from New York City as a small lake."""
