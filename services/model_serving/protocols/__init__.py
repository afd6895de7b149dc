"""The wire protocols: each reads, calls the dataplane and renders."""
