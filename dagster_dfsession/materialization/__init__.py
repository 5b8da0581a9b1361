"""What an asset returned becomes a table, with the record of how."""
