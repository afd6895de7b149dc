"""Re-ranking: a cross-encoder reads a query and each document together."""
