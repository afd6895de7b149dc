"""Embedding models on their way into the registry."""
