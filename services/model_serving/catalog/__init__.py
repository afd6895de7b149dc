"""What is registered and what is in memory, for people to read."""
