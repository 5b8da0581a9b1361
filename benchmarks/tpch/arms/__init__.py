"""The graph, once for each way to make it; a module is all that its user writes."""
