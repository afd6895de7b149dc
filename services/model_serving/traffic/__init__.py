"""Which version answers a request: canaries, shadows, experiments, and what stops them."""
