"""Finds what was moved or deleted past the platform.

MLflow lets whoever may edit a model move its aliases and delete its versions, keeps no record of who did, and tells
nobody. So the ledger is compared with the registry every now and then: one query and one request per hundred models.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.registry import repository as ledger
from mlplatform.registry.drift import repository
from mlplatform.registry.drift.incident import EVERY_ALIAS, Drift, DriftKind, Incident, find_drift, read_incident
from mlplatform.registry.gates.trial import SERVING
from mlplatform.registry.ledger import Promotion, read_promotion
from mlplatform.registry.lineage import Lineage, trace_lineage
from mlplatform.registry.model_version import RegisteredModel
from mlplatform.registry.registry import Registry

ACTOR = "model-serving"
OVERDUE = timedelta(minutes=10)
"""A promotion that is open for longer was interrupted: the gates are over when it opens."""


class DriftDetector:
    """Compares, and keeps a record of what it finds.

    Args:
        database: Where the ledger and the incidents are.
        registry: Where the aliases are.
        audit: What each incident is recorded in, once.
    """

    def __init__(self, database: Database, registry: Registry, audit: AuditLog) -> None:
        self._database = database
        self._registry = registry
        self._audit = audit
        self._lineages: dict[str, tuple[int, Lineage, Promotion | None]] = {}
        self._suspects: frozenset[Drift] = frozenset()
        self._unseen: frozenset[int] = frozenset()

    async def look(self) -> list[Incident]:
        """Compare once, and return what differs.

        A difference counts when two looks in a row see it, and is over when two in a row do not: in between, a
        promotion may have been on its way. Of models with a promotion under way nothing begins and nothing ends.

        Raises:
            DependencyUnavailable: Postgres or MLflow does not answer.
            psycopg.Error: The record could not be written.
        """
        under_way, overdue = await self._read_ledger()
        models = await asyncio.to_thread(lambda: {model.name: model for model in self._registry.all_models()})
        found = await asyncio.to_thread(self._compare, models, under_way)
        found |= {Drift(name, EVERY_ALIAS, DriftKind.INTERRUPTED, None, None) for name in overdue}
        confirmed = found & self._suspects
        self._suspects = frozenset(found)
        return await self._record(confirmed, await self._sort_out(found, under_way), models)

    async def _read_ledger(self) -> tuple[set[str], set[str]]:
        async with self._database.transaction() as connection:
            stamps = await repository.stamps(connection, OVERDUE)
            for stamp in stamps:
                known = self._lineages.get(stamp["model"])
                if known is None or known[0] != stamp["done"]:
                    done = [read_promotion(row) for row in await ledger.done(connection, stamp["model"])]
                    self._lineages[stamp["model"]] = (len(done), trace_lineage(done), done[-1] if done else None)
        under_way = {stamp["model"] for stamp in stamps if stamp["is_open"]}
        return under_way, {stamp["model"] for stamp in stamps if stamp["is_overdue"]}

    def _compare(self, models: Mapping[str, RegisteredModel], under_way: set[str]) -> set[Drift]:
        found: set[Drift] = set()
        for name, (done, lineage, _) in self._lineages.items():
            if name not in under_way and done:
                found.update(self._differences(name, lineage, models.get(name), is_known=True))
        for name, model in models.items():
            # The embedding service sets the alias of the model that it brings along by itself.
            if model.served_by == SERVING and not self._lineages.get(name, (0,))[0] and name not in under_way:
                found.update(self._differences(name, Lineage(), model, is_known=False))
        return found

    def _differences(
        self, name: str, lineage: Lineage, model: RegisteredModel | None, *, is_known: bool
    ) -> list[Drift]:
        return find_drift(
            name,
            lineage.aliases,
            None if model is None else model.aliases,
            is_known=is_known,
            exists=lambda version: self._registry.has_version(name, version),
        )

    async def _sort_out(self, found: set[Drift], under_way: set[str]) -> list[Incident]:
        """Close the incidents that are over, and return the others."""
        async with self._database.transaction() as connection:
            known = [read_incident(row, is_new=False) for row in await repository.open_incidents(connection)]
        unseen = {
            incident.id for incident in known if incident.drift not in found and incident.drift.model not in under_way
        }
        over = unseen & self._unseen
        self._unseen = frozenset(unseen)
        for incident in known:
            if incident.id in over:
                await self._close(incident)
        return [incident for incident in known if incident.id not in over]

    async def _record(
        self, confirmed: set[Drift], current: list[Incident], models: Mapping[str, RegisteredModel]
    ) -> list[Incident]:
        for drift in sorted(confirmed - {incident.drift for incident in current}, key=lambda drift: drift.message):
            opened = await self._open(drift, models.get(drift.model))
            current += [] if opened is None else [opened]
        return current

    async def _open(self, drift: Drift, model: RegisteredModel | None) -> Incident | None:
        """Write an incident with its audit row; None when another replica does so at this moment."""
        async with self._database.transaction() as connection:
            row = await repository.open_incident(
                connection,
                model=drift.model,
                alias=drift.alias,
                kind=drift.kind,
                recorded=drift.recorded,
                found=drift.found,
            )
            if row is None:
                return None
            await self._audit.record(
                action="model.drifted",
                resource=f"models/{drift.model}",
                outcome=drift.kind,
                actor=ACTOR,
                detail={"incident_id": row["id"], "alias": drift.alias, **self._known(drift, model)},
                connection=connection,
            )
        return read_incident(row, is_new=True)

    async def _close(self, incident: Incident) -> None:
        async with self._database.transaction() as connection:
            if not await repository.resolve(connection, incident.id):
                return
            await self._audit.record(
                action="model.drift_ended",
                resource=f"models/{incident.drift.model}",
                actor=ACTOR,
                detail={"incident_id": incident.id, "alias": incident.drift.alias},
                connection=connection,
            )

    def _known(self, drift: Drift, model: RegisteredModel | None) -> dict[str, object]:
        """Say what is known; MLflow does not say who did it."""
        last = self._lineages.get(drift.model, (0, Lineage(), None))[2]
        return {
            "recorded_version": drift.recorded,
            "found_version": drift.found,
            "last_promotion_id": None if last is None else last.id,
            "last_promotion_by": None if last is None else last.actor,
            "registry_updated": None if model is None else model.updated.isoformat(),
            "by": "unknown: MLflow records no author",
        }
