"""Jobs of the tests' own tenants, stored as the service stores them."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import orjson
import psycopg

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal, Role
from mlplatform.database import Database
from mlplatform.idempotency import RepeatableRequest
from services.model_serving.batch.jobs import repository
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs, Order
from services.model_serving.batch.jobs.repository import ChunkInput
from services.model_serving.batch.scoring.assignment import ItemResult
from services.model_serving.batch.work.chunk import Chunk
from services.model_serving.engine.identity import ModelIdentity

MODEL = ModelIdentity("model", "1", key="key", digest=None, run_id=None)
INPUT = {"type": "table", "key": "k"}
"""What is to be split."""


class Silence:
    """A bell that nobody hears."""

    def ring(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Desk:
    """Where the tests submit jobs."""

    jobs: Jobs

    async def submit(self, tenant: str, inputs: list[Any]) -> Job:
        """Submit a job."""
        once = RepeatableRequest("POST /api/v1/batch", None, b"")
        job = await self.jobs.submit(caller(tenant), Order(MODEL, inputs), once, "request")
        assert isinstance(job, Job)
        return job


def desk(database: Database, *, chunk_items: int = 4) -> Desk:
    """Open a desk."""
    return Desk(Jobs(database, Silence(), AuditLog(database), most_items=10_000, chunk_items=chunk_items))


def caller(tenant: str) -> Principal:
    """Return somebody of a tenant."""
    return Principal("somebody", tenant, frozenset({Role.USER}), "jwt")


async def split_job(database: Database, *, finish: list[dict[str, Any]] | None = None) -> Job:
    """Store a job whose items are known once its input is split."""
    async with database.transaction("a") as connection:
        job = await repository.create(
            connection,
            uuid4(),
            kind="table",
            model=asdict(MODEL),
            params={},
            items=0,
            subject="somebody",
            finish=finish,
        )
        await repository.add_chunks(connection, job.id, [ChunkInput((), source=INPUT, kind="split")])
    return job


def doubled(chunk: Chunk) -> list[ItemResult]:
    """Score a chunk: twice each number; what is no number fails."""
    return [
        ItemResult(number, "succeeded", str(2 * item), None)
        if isinstance(item, int)
        else ItemResult(number, "failed", None, '{"code": "invalid_inputs", "detail": "no number", "errors": []}')
        for number, item in zip(chunk.items, orjson.loads(chunk.input), strict=True)
    ]


def stored(owner: psycopg.Connection, job: Job) -> dict[int, tuple[str, Any]]:
    """Return the state and the output of each item that has a result; no item may have two."""
    rows = owner.execute("SELECT item, state, output FROM batch_results WHERE job_id = %s", (job.id,)).fetchall()
    assert len({item for item, _, _ in rows}) == len(rows)
    return {item: (state, output) for item, state, output in rows}
