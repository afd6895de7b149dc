"""Routes of the search service."""
