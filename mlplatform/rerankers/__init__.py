"""Cross-encoders, which read a query and a document together, on their way into the registry."""
