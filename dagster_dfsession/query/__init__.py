"""What a session does with a query: identity, streams, metrics."""
