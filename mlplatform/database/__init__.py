"""Postgres: the pool, tenant-scoped transactions and migrations."""

from mlplatform.database.pool import Database
from mlplatform.database.schema import SchemaError, check_schema

__all__ = ["Database", "SchemaError", "check_schema"]
