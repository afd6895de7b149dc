"""Models, their versions and their promotion, over MLflow.

Importing `mlplatform.registry.registry` imports MLflow, which takes seconds; this package itself imports nothing.
"""
