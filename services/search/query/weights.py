"""The settings of each index of a tenant: the weight of vectors against words, how much is re-ranked, the language."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from services.search.lexical.language_repository import raise_generation
from services.search.lexical.languages import ENGLISH, change_language, read_languages
from services.search.query import repository
from services.search.query.change import Change
from services.search.query.repository import Connection
from services.search.query.state import EVERY_TYPE

UNSET = {"weight": None, "tuning": None, "rerank": None, "updated_at": None}


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
            languages = await read_languages(connection)
            rows = {row["entity_type"]: row for row in await repository.read_settings(connection)}
        return [_settings(kind, rows.get(kind), languages.get(kind)) for kind in sorted(rows.keys() | languages.keys())]

    async def find(self, tenant: str, entity_type: str) -> Mapping[str, Any]:
        """Return the settings of an index of the tenant, set or not."""
        async with self._database.transaction(tenant) as connection:
            languages = await read_languages(connection, entity_type)
            rows = {row["entity_type"]: row for row in await repository.read_settings(connection)}
        return _settings(entity_type, rows.get(entity_type), languages.get(entity_type))

    async def set(self, principal: Principal, entity_type: str, change: Change) -> Mapping[str, Any]:
        """Change the settings of an index of the caller's tenant, and record who did.

        Args:
            principal: Who.
            entity_type: Of the index; `*` for all without settings of their own.
            change: What is set.

        Returns:
            The settings as they are now.

        Raises:
            LanguageRefused: Postgres does not know the language, or the index is `*`.
        """
        async with self._database.transaction(principal.tenant) as connection:
            former_language = None
            if change.speaks:
                former_language = await change_language(connection, entity_type, change.language)
            row = await repository.save_settings(connection, entity_type, change)
            language = (await read_languages(connection, entity_type)).get(entity_type)
            details: dict[str, dict[str, Any]] = {}
            if change.weighs:
                details["search.weight_set"] = {
                    "weight": change.weight,
                    "former": row["former_weight"],
                    "tuning": change.tuning,
                }
            if change.reranks:
                details["search.rerank_set"] = {"rerank": change.rerank, "former": row["former_rerank"]}
            if change.speaks:
                details["search.language_set"] = {"language": change.language or ENGLISH, "former": former_language}
            await self._record(connection, principal, entity_type, details)
            if change.speaks:
                # Queries are read in another language too. Last, as the triggers do it: after the lock of the audit.
                await raise_generation(connection)
        return _settings(entity_type, row, language)

    async def _record(
        self, connection: Connection, principal: Principal, entity_type: str, details: Mapping[str, Mapping[str, Any]]
    ) -> None:
        for action, detail in details.items():
            await self._audit.record(
                action=action,
                principal=principal,
                resource=f"index/{entity_type}",
                detail=detail,
                connection=connection,
            )


def _settings(entity_type: str, row: Mapping[str, Any] | None, language: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Put together what two tables say of an index."""
    times = [time for time in (row and row["updated_at"], language and language["changed_at"]) if time]
    default = None if entity_type == EVERY_TYPE else ENGLISH
    return {
        **(row or UNSET),
        "entity_type": entity_type,
        "language": default if language is None else language["language"],
        "waiting": 0 if language is None else language["waiting"],
        "updated_at": max(times, default=None),
    }
