"""What will be done, decided without an engine: settings, phases, names, hashes."""
