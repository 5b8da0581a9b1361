"""What a session is wanted: frozen values, checked when they are built."""
