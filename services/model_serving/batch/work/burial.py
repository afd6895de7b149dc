"""What becomes of a chunk whose holder died over it.

It is tried again; after three deaths it is halved, and each half after one more, until the item that kills whoever
scores it is alone and gets an error instead of an output. Its neighbours get their outputs. Deaths while the model is
loaded, for which no item is to blame, are counted apart: after three of them over one chunk the job fails.
"""

import orjson
import structlog

from mlplatform.database import Database
from services.model_serving.batch import metrics
from services.model_serving.batch.jobs import repository as jobs
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.scoring.assignment import ItemResult
from services.model_serving.batch.work import repository
from services.model_serving.batch.work.chunk import Claim
from services.model_serving.batch.work.claims import count_results, note_end, store
from services.model_serving.batch.work.parts import parts

MOST_DEATHS = 3

log = structlog.get_logger(__name__)


class Burial:
    """Counts deaths and draws the conclusions.

    Args:
        database: Where the chunks are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def bury(
        self,
        claimed: Claim,
        cause: str,
        *,
        noticed: str,
        ended: bool = False,
        loading: bool = False,
        late: bool = False,
    ) -> bool:
        """Count a death.

        Args:
            claimed: The chunk.
            cause: How the holder died.
            noticed: How that is known, for the metrics.
            ended: Whether only when the lease has ended.
            loading: Whether it died while it loaded the model, for which no item is to blame.
            late: Whether it was ended because it took too long, as it would again; half of its items may not.

        Returns:
            Whether the claim stood.
        """
        results: list[ItemResult] = []
        async with self._database.transaction(claimed.tenant_id, jobs.PATIENT) as connection:
            chunk = await repository.lock(connection, claimed, ended=ended)
            job = await jobs.find(connection, claimed.job_id)
            if chunk is None or job is None:
                return False
            deaths = (chunk.load_deaths if loading else chunk.deaths) + 1
            if late and not loading and len(chunk.items) > 1:
                await repository.divide(connection, claimed, parts(chunk, len(chunk.items) // 2), chunk.deaths)
            elif deaths < MOST_DEATHS:
                await repository.requeue_dead(connection, claimed, loading=loading)
            elif chunk.kind == "finish":
                await repository.close(connection, claimed)
            elif loading:
                job = await self._give_up(connection, job, cause)
            elif chunk.kind == "split":
                detail = f"Reading the input ended its process {MOST_DEATHS} times ({cause})."
                job = await repository.fail(connection, job, detail, _error("unreadable_input", detail))
            elif len(chunk.items) > 1:
                await repository.divide(connection, claimed, parts(chunk, len(chunk.items) // 2), MOST_DEATHS - 1)
            else:
                results = [ItemResult(chunk.items[0], "failed", None, _poison(cause))]
                job = await store(connection, claimed, job, results)
        metrics.DEATHS.labels(noticed).inc()
        log.warning(
            "batch.died",
            job=str(claimed.job_id), chunk=claimed.number, items=len(chunk.items), deaths=deaths, loading=loading,
            cause=cause,
        )  # fmt: skip
        count_results(job, results)
        if chunk.kind != "finish":
            note_end(job)
        return True

    async def _give_up(self, connection: repository.Connection, job: Job, cause: str) -> Job:
        detail = f"Loading the model ended its process {MOST_DEATHS} times ({cause})."
        return await repository.fail(connection, job, detail, _error("model_not_loaded", detail))


def _poison(cause: str) -> str:
    detail = f"Each process that scored this item died of it ({cause}); the others of the job were scored without it."
    return _error("poison", detail)


def _error(code: str, detail: str) -> str:
    return orjson.dumps({"code": code, "detail": detail, "errors": []}).decode()
