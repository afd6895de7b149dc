"""Routes of the embedding service."""
