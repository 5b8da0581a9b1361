"""Asset checks: each module builds those of one question."""
