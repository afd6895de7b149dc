"""The settings of each index of a tenant: the weight of vectors against words, and how much is re-ranked."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from services.search.query import repository
from services.search.query.change import Change


class Weights:
    """Reads and changes settings.

    Args:
        database: Where they are.
        audit: Records who set what.
    """

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    async def read(self, tenant: str) -> Sequence[Mapping[str, Any]]:
        """Return every index of the tenant that has settings."""
        async with self._database.transaction(tenant) as connection:
            return await repository.read_settings(connection)

    async def set(self, principal: Principal, entity_type: str, change: Change) -> Mapping[str, Any]:
        """Change the settings of an index of the caller's tenant, and record who did.

        Args:
            principal: Who.
            entity_type: Of the index; `*` for all without settings of their own.
            change: What is set.

        Returns:
            The settings as they are now.
        """
        async with self._database.transaction(principal.tenant) as connection:
            row = await repository.save_settings(connection, entity_type, change)
            former_weight, former_rerank = row.pop("former_weight"), row.pop("former_rerank")
            details: dict[str, dict[str, Any]] = {}
            if change.weighs:
                details["search.weight_set"] = {
                    "weight": change.weight,
                    "former": former_weight,
                    "tuning": change.tuning,
                }
            if change.reranks:
                details["search.rerank_set"] = {"rerank": change.rerank, "former": former_rerank}
            for action, detail in details.items():
                await self._audit.record(
                    action=action,
                    principal=principal,
                    resource=f"index/{entity_type}",
                    detail=detail,
                    connection=connection,
                )
        return row
