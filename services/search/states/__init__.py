"""What became of items on their way into the index."""
