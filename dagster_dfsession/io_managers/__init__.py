"""Assets as tables, parameters as frames."""
