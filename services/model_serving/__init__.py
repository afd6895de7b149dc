"""Predictions of the models in the registry, hot-swapped on promotion."""
