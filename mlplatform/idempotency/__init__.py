"""Requests that may be repeated without doing their work twice."""

from mlplatform.idempotency.dependency import IdempotentRequest, replayed
from mlplatform.idempotency.request import RepeatableRequest, StoredResponse

__all__ = ["IdempotentRequest", "RepeatableRequest", "StoredResponse", "replayed"]
