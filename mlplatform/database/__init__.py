"""Postgres: the pool, tenant-scoped transactions and migrations."""

from mlplatform.database.pool import Database
from mlplatform.database.repository import apply_settings
from mlplatform.database.schema import SchemaError, check_schema

__all__ = ["Database", "SchemaError", "apply_settings", "check_schema"]
