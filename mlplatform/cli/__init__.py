"""The `mlp` command."""
