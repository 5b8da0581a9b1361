"""Lifetimes: who borrows a session, for how long, and what goes when it ends."""
