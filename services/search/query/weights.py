"""The weights of vectors against words, of each index of a tenant."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from services.search.query import repository


class Weights:
    """Reads and sets weights.

    Args:
        database: Where they are.
        audit: Records who set which.
    """

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    async def read(self, tenant: str) -> Sequence[Mapping[str, Any]]:
        """Return every index of the tenant that has a weight."""
        async with self._database.transaction(tenant) as connection:
            return await repository.read_settings(connection)

    async def set(
        self, principal: Principal, entity_type: str, weight: float | None, tuning: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """Set the weight of an index of the caller's tenant, and record who did.

        Args:
            principal: Who.
            entity_type: Of the index; `*` for all without a weight of their own.
            weight: From 0 to 1; None for the service's default.
            tuning: The measurements that it comes from; None when it is set by hand.

        Returns:
            The settings as they are now.
        """
        async with self._database.transaction(principal.tenant) as connection:
            row = await repository.save_weight(connection, entity_type, weight, tuning)
            former = row.pop("former")
            await self._audit.record(
                action="search.weight_set",
                principal=principal,
                resource=f"index/{entity_type}",
                detail={"weight": weight, "former": former, "tuning": tuning},
                connection=connection,
            )
        return row
