"""The way from a query to its answer."""
