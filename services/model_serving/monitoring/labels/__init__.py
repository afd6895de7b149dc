"""Labels and outcomes that come in for predictions."""
