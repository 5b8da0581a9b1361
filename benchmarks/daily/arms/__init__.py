"""The two assets, once for each way to make them; a module is all its user writes."""
