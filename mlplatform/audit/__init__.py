"""Who did what to what: an append-only table whose rows are chained by hashes."""

from mlplatform.audit.log import AuditLog

__all__ = ["AuditLog"]
