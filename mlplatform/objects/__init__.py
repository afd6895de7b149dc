"""Objects in S3."""

from mlplatform.objects.store import ObjectStore

__all__ = ["ObjectStore"]
