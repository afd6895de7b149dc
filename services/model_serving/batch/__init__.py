"""Jobs that score many items with one version of a model, in worker processes beside the service."""
