"""Where uploads become jobs."""

from dataclasses import dataclass

from mlplatform.auth import Principal
from mlplatform.errors import Conflict
from mlplatform.idempotency import RepeatableRequest, StoredResponse
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.jobs import Jobs, Order
from services.model_serving.batch.quota.quota import Quota
from services.model_serving.batch.uploads import repository
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.received import SOURCE, Received, cut
from services.model_serving.batch.uploads.receiving import Receiver
from services.model_serving.batch.uploads.room import TOO_LATE


@dataclass(frozen=True, slots=True)
class Uploads:
    """Takes uploads and makes jobs of them.

    Attributes:
        jobs: Where jobs are made.
        receiver: Takes the files.
        limits: Of uploads.
        quota: Of tenants.
    """

    jobs: Jobs
    receiver: Receiver
    limits: Limits
    quota: Quota

    async def submit(
        self,
        principal: Principal,
        order: Order,
        received: Received,
        repeatable: RepeatableRequest,
        request_id: str | None,
    ) -> Job | StoredResponse:
        """Make a job of an upload, whose objects are kept from then on.

        Raises:
            QuotaExceeded: The tenant has as much as it may have.
            Conflict: The upload took so long that it was taken for broken off.
        """

        async def within(connection: repository.Connection, job: Job) -> None:
            upload = received.arrival.id
            if not await repository.keep(connection, upload, job.id, files=received.files, size=received.size):
                raise Conflict(TOO_LATE)
            await self.quota.check(connection)

        chunks = cut(received.items, self.jobs.chunk_items)
        submitted = await self.jobs.accept(
            principal, order, chunks, kind=SOURCE, repeatable=repeatable, request_id=request_id, within=within
        )
        received.arrival.kept = isinstance(submitted, Job)
        return submitted
