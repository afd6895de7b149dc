"""What holds the leases of chunks: claims them, has them scored, and commits their results."""
