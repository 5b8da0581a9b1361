"""What a memory limit costs: which queries finish, and which spill."""
