"""What was built: a context, its functions, and what it says of itself."""
