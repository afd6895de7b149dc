"""Which versions are in memory, and which of them answers."""
