"""From a version in the registry to a model in memory."""
