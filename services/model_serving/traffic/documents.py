"""The routing documents in Postgres: read, replaced by compare-and-set, and never lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import DictRow
from pydantic import ValidationError
from structlog import get_logger

from mlplatform.audit import AuditLog
from mlplatform.audit.event import Actor
from mlplatform.database import Database
from mlplatform.database.pages import cut_page, read_cursor
from mlplatform.events import CloudEvent, OutboxRelay, TrafficChanged, enqueue
from services.model_serving.traffic import repository
from services.model_serving.traffic.document import TrafficDocument
from services.model_serving.traffic.epochs import Epochs, next_epochs
from services.model_serving.traffic.errors import PreconditionFailed

SOURCE = "/services/model_serving"

Action = Literal["set", "clear", "abort"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a model's document.

    Attributes:
        model: its name.
        revision: rises by one with every change; 0 when there was never a document.
        document: None when it is cleared.
        epochs: in which revision each part of it began.
        action: how it came to be.
        actor: who did it.
        reason: why.
        changed_at: when.
        began: when the experiment in it did.
    """

    model: str
    revision: int
    document: TrafficDocument | None
    epochs: Epochs
    action: Action
    actor: str | None
    reason: str | None
    changed_at: datetime | None
    began: datetime | None = None


def never(model: str) -> Revision:
    """Return the state of a model that never had a document."""
    return Revision(model, 0, None, {}, "clear", None, None, None)


class Documents:
    """Reads and changes routing documents.

    Args:
        database: where they are.
        audit: where every change is recorded, in the transaction that makes it.
        relay: is woken after a change, so that its event goes out at once.
    """

    def __init__(self, database: Database, audit: AuditLog, relay: OutboxRelay) -> None:
        self._database = database
        self._audit = audit
        self._relay = relay
        self._unreadable: dict[str, int] = {}

    async def read(self, model: str) -> Revision:
        """Return the present state of a model's document."""
        async with self._database.transaction() as connection:
            rows = await repository.documents(connection, [model])
        return _revision(rows[0]) if rows else never(model)

    async def changes(self, known: Mapping[str, int]) -> list[Revision]:
        """Return the documents whose revision is not the known one.

        One that this code cannot read, because a newer release wrote it, is logged and left out; what was in effect
        stays so.
        """
        async with self._database.transaction() as connection:
            heads = await repository.heads(connection)
            changed = [
                model
                for model, revision in heads.items()
                if known.get(model) != revision and self._unreadable.get(model) != revision
            ]
            rows = await repository.documents(connection, changed) if changed else []
        return [revision for row in rows if (revision := self._try(row)) is not None]

    async def replace(
        self,
        before: Revision,
        document: TrafficDocument | None,
        *,
        actor: Actor | None = None,
        name: str | None = None,
        reason: str | None = None,
        action: Action | None = None,
    ) -> Revision:
        """Replace a document, and tell everybody.

        Args:
            before: the state that is replaced.
            document: the new one; None clears it.
            actor: who does it, a principal.
            name: who does it, where there is no principal.
            reason: why.
            action: abort, when that is what it is.

        Raises:
            PreconditionFailed: somebody changed it meanwhile.
            DependencyUnavailable: Postgres does not answer; nothing changed.
        """
        who = name or (actor.subject if actor else "")
        doing: Action = action or ("clear" if document is None else "set")
        async with self._database.transaction() as connection:
            row = await repository.replace(
                connection,
                model=before.model,
                expected=before.revision,
                document=None if document is None else document.model_dump(mode="json"),
                epochs=next_epochs(document, before.document, before.epochs, before.revision + 1),
                action=doing,
                actor=who,
                reason=reason,
            )
            if row is None:
                raise PreconditionFailed(
                    f"The traffic of {before.model} is not at revision {before.revision} any more; read it again."
                )
            after = _revision(row)
            changed = TrafficChanged(model=after.model, revision=after.revision, action=doing, actor=who)
            await enqueue(connection, CloudEvent.of(changed, source=SOURCE, subject=after.model))
            await self._audit.record(
                action=f"traffic.{doing}",
                resource=f"model:{after.model}",
                principal=actor,
                actor=name,
                detail={"revision": after.revision, "document": row["document"], "reason": reason},
                connection=connection,
            )
        self._relay.wake()
        return after

    async def history(self, model: str, *, limit: int, cursor: str | None) -> tuple[list[Revision], str | None]:
        """List a page of a model's documents, newest first, and the cursor of the next page.

        Raises:
            InvalidCursor: it is not one of ours.
        """
        before = read_cursor(cursor)
        async with self._database.transaction() as connection:
            rows = await repository.history(connection, model, limit + 1, before)
        page, following = cut_page(rows, limit, "revision")
        return [_revision(row) for row in page], following

    def _try(self, row: DictRow) -> Revision | None:
        try:
            return _revision(row)
        except ValidationError as error:
            self._unreadable[row["model"]] = row["revision"]
            found = [".".join(map(str, wrong["loc"])) for wrong in error.errors(include_input=False)]
            log.error("traffic_unreadable", model=row["model"], revision=row["revision"], fields=found)  # noqa: TRY400 (the traceback would hold the document)
            return None

    async def with_experiment(self, model: str, experiment: str) -> Revision | None:
        """Return the newest document that held an experiment; None when none did."""
        async with self._database.transaction() as connection:
            row = await repository.newest_with_experiment(connection, model, experiment)
        return None if row is None else _revision(row)


def _revision(row: DictRow) -> Revision:
    document = None if row["document"] is None else TrafficDocument.model_validate(row["document"])
    return Revision(**{**row, "document": document})
