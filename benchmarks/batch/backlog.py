"""Items of a tenant that are always waiting."""

import threading
from types import TracebackType
from typing import Any, Self

import orjson

from benchmarks.batch.desk import Desk

BATCH = "/api/v1/batch"
PAUSE = 0.1
JSON = {"content-type": "application/json"}


class Backlog:
    """Submits jobs for the time of the block whenever too few items wait.

    Args:
        desk: Of the tenant.
        order: A job as it is submitted.
        items: Of such a job.
        jobs: As many jobs' items are kept waiting.

    Attributes:
        fewest: Items that were waiting when they were fewest.
    """

    def __init__(self, desk: Desk, order: dict[str, Any], items: int, jobs: int) -> None:
        self.fewest = 0
        self._desk = desk
        self._body = orjson.dumps(order)
        self._wanted = items * jobs
        self._jobs: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> Self:
        self._fill()
        self.fewest = self._left()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for job in self._jobs:
            self._desk.cancel(job)

    def _keep(self) -> None:
        while not self._over.wait(PAUSE):
            self.fewest = min(self.fewest, self._left())
            self._fill()

    def _fill(self) -> None:
        while self._left() < self._wanted:
            self._jobs.append(self._desk.submit(BATCH, content=self._body, headers=JSON))

    def _left(self) -> int:
        found = {job: self._desk.look(job) for job in self._jobs}
        self._jobs = [job for job, seen in found.items() if not seen["finished_at"]]
        return sum(seen["items"] - seen["succeeded"] - seen["failed"] for seen in found.values())
