"""Parts are killed at random while batch jobs of items, tables and files are submitted and scored."""

import io
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq

from mlplatform.stack import Stack
from tests.integration.model_serving.publisher import frame_of, records_of
from tests.resilience.jobs import JobDesk
from tests.resilience.test_stack import pids_of, wait_healthy
from tests.unit.model_serving.batch.uploads.corpus import packed

PARTS = ("batch", "scorer", "serving", "redis", "postgres", "s3")
JOBS = 50
TABLES, FILES = 10, 10
"""Of the jobs; the others are items in JSON."""
SECONDS = 240.0
BETWEEN_KILLS = 4.0
INPUTS = records_of(frame_of(600, seed=5))
"""Three chunks."""
ROWS = 70_000
"""Three chunks as well."""
BROKEN = 123
"""Number of the row of each table, and of the file of each upload, that cannot be scored."""
TABLE = "\n".join(["a,b,c", *("x,0,0" if row == BROKEN else f"{row},0,0" for row in range(ROWS))]).encode()
TEXTS = [b"\xff\xff" if number == BROKEN else b"a" * (number % 50 + 1) for number in range(300)]
"""Two chunks, in archives of thirty files."""
UPLOAD = {
    f"{first}.zip": packed({f"{number}.txt": TEXTS[number] for number in range(first, first + 30)})
    for first in range(0, len(TEXTS), 30)
}


@dataclass(frozen=True)
class Kind:
    """Jobs that are submitted, and what must come of each.

    Attributes:
        submit: Submits one, and returns where it is.
        items: How many it has.
        failed: How many of them cannot be scored.
        check: Looks at its results.
    """

    submit: Callable[[], str]
    items: int
    failed: int
    check: Callable[[str], None]

    def is_done(self, job: dict[str, Any]) -> bool:
        """Whether each item of a job that has ended has come to what it must."""
        counts = [job[name] for name in ("items", "succeeded", "failed", "cancelled")]
        return (job["state"], counts) == ("completed", [self.items, self.items - self.failed, self.failed, 0])


class Checks:
    """What must come of the items.

    Args:
        desk: Where they are.
    """

    def __init__(self, desk: JobDesk) -> None:
        self._desk = desk

    def inputs(self, place: str) -> None:
        """Check the results of items in JSON."""
        found = self._desk.results(place)
        assert [one["item"] for one in found] == list(range(len(INPUTS)))
        np.testing.assert_allclose([one["output"] for one in found], [one["a"] for one in INPUTS], rtol=1e-9)

    def table(self, place: str) -> None:
        """Check the file with the results of a table."""
        (failed,) = self._desk.results(place)
        assert (failed["item"], failed["error"]["code"]) == (BROKEN, "invalid_inputs")
        found = pq.read_table(io.BytesIO(self._desk.download(place))).to_pandas()
        assert found["item"].tolist() == list(range(ROWS))
        assert found.index[found["code"].notna()].tolist() == [BROKEN]
        expected = np.where(np.arange(ROWS) == BROKEN, np.nan, np.arange(ROWS))
        np.testing.assert_allclose(found["prediction"], expected, rtol=1e-9, atol=1e-9)

    def files(self, place: str) -> None:
        """Check the results of files."""
        found = self._desk.results(place)
        assert [one["item"] for one in found] == list(range(len(TEXTS)))
        assert [one["item"] for one in found if one["error"]] == [BROKEN]
        lengths = [one["output"] and one["output"]["length"] for one in found]
        assert lengths == [None if number == BROKEN else len(text) for number, text in enumerate(TEXTS)]


def scorer_of(worker: int) -> int | None:
    """Return the process that scores: the youngest of the worker's family, which has forked none itself."""
    family = psutil.Process(worker).children(recursive=True)
    leaves = [process for process in family if not process.children()]
    return max(leaves, key=lambda process: process.create_time()).pid if leaves else None


def kill(stack: Stack, part: str) -> None:
    pid = pids_of(stack)["batch" if part == "scorer" else part]
    if pid is not None and part == "scorer":
        pid = scorer_of(pid)
    if pid is not None:  # it is being restarted just then
        os.kill(pid, signal.SIGKILL)


class TestKillDuringJobs:
    def test_each_item_of_each_job_has_one_result(self, stack: Stack, model: str, text_model: str) -> None:
        wait_healthy(stack)
        order = [*PARTS, *PARTS]
        shuffler = random.Random(7)  # noqa: S311 (a schedule, and no secret)
        shuffler.shuffle(order)
        over = threading.Event()
        done: list[str] = []

        def destroy() -> None:
            for part in order:
                if over.wait(BETWEEN_KILLS):
                    return
                kill(stack, part)
                done.append(part)

        desk = JobDesk(stack.env()["ML_SERVING_URL"], SECONDS)
        checks = Checks(desk)
        inputs = Kind(lambda: desk.submit(model, INPUTS), len(INPUTS), 0, checks.inputs)
        table = Kind(lambda: desk.submit_table(model, TABLE), ROWS, 1, checks.table)
        files = Kind(lambda: desk.submit_files(text_model, UPLOAD), len(TEXTS), 1, checks.files)
        kinds = [table] * TABLES + [files] * FILES + [inputs] * (JOBS - TABLES - FILES)
        shuffler.shuffle(kinds)
        thread = threading.Thread(target=destroy)
        thread.start()
        try:
            places = []
            began = time.monotonic()
            for number, kind in enumerate(kinds, start=1):
                places.append(kind.submit())
                due = began + number * len(order) * BETWEEN_KILLS / JOBS
                over.wait(max(0.0, due - time.monotonic()))
            thread.join()
            jobs = [desk.ended(place) for place in places]
        finally:
            over.set()
            thread.join()
        assert done == order
        assert [job for kind, job in zip(kinds, jobs, strict=True) if not kind.is_done(job)] == []
        for kind, place in zip(kinds, places, strict=True):
            kind.check(place)
        wait_healthy(stack)
