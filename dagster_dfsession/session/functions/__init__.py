"""User functions: declared, digested, collected, installed, read back."""
