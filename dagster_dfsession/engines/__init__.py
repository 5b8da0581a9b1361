"""Engines beside the session's own, behind one port."""
