"""The ledger of promotions: what MLflow's aliases do not remember."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import DictRow

from mlplatform.database import Database
from mlplatform.database.pages import cut_page, read_cursor
from mlplatform.registry import repository
from mlplatform.registry.identity import Proof
from mlplatform.registry.stages import Stage


class Action(StrEnum):
    """What a promotion does."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    ARCHIVE = "archive"


class State(StrEnum):
    """How far a promotion came. `intent` is under way or crashed; `repaired` was finished after a crash."""

    INTENT = "intent"
    COMMITTED = "committed"
    FAILED = "failed"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One row of the ledger.

    Attributes:
        id: Rises with time.
        model: Registered name.
        stage: Where the version went.
        action: How.
        from_version: The version that had the stage before; None when there was none.
        to_version: The version that has it after, or that was archived.
        artifact_digest: Digest of the version's artifacts when its gates ran.
        gate_report_uri: `s3://bucket/key` of the gate report; None where no gates run.
        actor: Who did it.
        identity: How that is known.
        reason: Why, in the actor's words.
        trace_id: Trace of the promotion, hex.
        state: How far it came.
        failure: Why it failed.
        started_at: When the intent was written.
        committed_at: When it was done.
    """

    id: int
    model: str
    stage: Stage
    action: Action
    from_version: str | None
    to_version: str
    artifact_digest: str | None
    gate_report_uri: str | None
    actor: str
    identity: Proof
    reason: str | None
    trace_id: str | None
    state: State
    failure: str | None
    started_at: datetime
    committed_at: datetime | None


def read_promotion(row: DictRow) -> Promotion:
    """Make a promotion of a row."""
    words = {
        "stage": Stage(row["stage"]),
        "action": Action(row["action"]),
        "identity": Proof(row["identity"]),
        "state": State(row["state"]),
    }
    return Promotion(**{**row, **words})


class PromotionLedger:
    """Reads the ledger for a service.

    Args:
        database: The service's pool.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, model: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Promotion], str | None]:
        """List a page of a model's promotions, newest first.

        Args:
            model: Registered name.
            limit: Promotions in a page.
            cursor: What the page before gave.

        Returns:
            The promotions, and the cursor of the next page or None.

        Raises:
            InvalidCursor: It is not one of ours.
        """
        before = read_cursor(cursor)
        async with self._database.transaction() as connection:
            rows = await repository.page(connection, model, limit + 1, before)
        page, following = cut_page(rows, limit, "id")
        return [read_promotion(row) for row in page], following

    async def get(self, model: str, promotion_id: int) -> Promotion | None:
        """Look one promotion of a model up."""
        async with self._database.transaction() as connection:
            row = await repository.get(connection, model, promotion_id)
        return None if row is None else read_promotion(row)
