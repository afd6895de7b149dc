"""The report on a model: one HTML page with its plots inside."""
