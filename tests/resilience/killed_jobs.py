"""Parts are killed at random while batch jobs of items, tables and files are submitted, scored and cancelled.

`test_stack.py` collects it, for the sake of one stack.
"""

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
from tests.resilience.recovery import pids_of, wait_healthy
from tests.unit.model_serving.batch.uploads.corpus import packed

PARTS = ("batch", "scorer", "serving", "redis", "postgres", "s3")
JOBS = 50
TABLES, FILES = 10, 10
"""Of the jobs; the others are items in JSON."""
CANCELLED = 4
"""Every so many jobs one is cancelled: in turns at once, and when the next one has been submitted."""
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

COUNTS = ("items", "succeeded", "failed", "cancelled")


@dataclass(frozen=True)
class Kind:
    """Jobs that are submitted, and what must come of each.

    Attributes:
        submit: Submits one, and returns where it is.
        items: How many it has.
        failed: How many of them cannot be scored.
        check: Looks at the results of such a job, and returns the items that have one.
    """

    submit: Callable[[], str]
    items: int
    failed: int
    check: Callable[[str], list[int]]

    def is_done(self, job: dict[str, Any], *, cancelled: bool) -> bool:
        """Whether each item of a job that has ended, perhaps as it was cancelled, has come to what it must."""
        items, succeeded, failed, left = counts = [job[name] for name in COUNTS]
        if cancelled and job["state"] == "cancelled":
            return items == succeeded + failed + left and items in {self.items, 0}  # none, when it had not been split
        return (job["state"], counts) == ("completed", [self.items, self.items - self.failed, self.failed, 0])


class Checks:
    """What must come of the items that have a result. Each check returns which those are.

    Args:
        desk: Where they are.
    """

    def __init__(self, desk: JobDesk) -> None:
        self._desk = desk

    def inputs(self, place: str) -> list[int]:
        """Check the results of items in JSON."""
        found = self._desk.results(place)
        items = [one["item"] for one in found]
        np.testing.assert_allclose([one["output"] for one in found], [INPUTS[item]["a"] for item in items], rtol=1e-9)
        return items

    def table(self, place: str) -> list[int]:
        """Check the file with the results of a table."""
        failed = [(one["item"], one["error"]["code"]) for one in self._desk.results(place)]
        found = pq.read_table(io.BytesIO(self._desk.download(place))).to_pandas()
        items = found["item"].to_numpy()
        assert failed == [(BROKEN, "invalid_inputs")] * int((items == BROKEN).sum())
        assert items[found["code"].notna()].tolist() == [item for item, _ in failed]
        if len(items):
            expected = np.where(items == BROKEN, np.nan, items)
            np.testing.assert_allclose(found["prediction"], expected, rtol=1e-9, atol=1e-9)
        return items.tolist()

    def files(self, place: str) -> list[int]:
        """Check the results of files."""
        found = self._desk.results(place)
        items = [one["item"] for one in found]
        assert [one["item"] for one in found if one["error"]] == [item for item in items if item == BROKEN]
        lengths = [one["output"] and one["output"]["length"] for one in found]
        assert lengths == [None if item == BROKEN else len(TEXTS[item]) for item in items]
        return items


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
        places: list[str] = []
        cancelled: set[str] = set()
        late: list[str] = []
        try:
            began = time.monotonic()
            for number, kind in enumerate(kinds, start=1):
                places.append(kind.submit())
                while late:
                    desk.cancel(late.pop())
                if number % CANCELLED == 0:
                    cancelled.add(places[-1])
                    late.append(places[-1])
                if number % (2 * CANCELLED) == 0:
                    desk.cancel(late.pop())
                due = began + number * len(order) * BETWEEN_KILLS / JOBS
                over.wait(max(0.0, due - time.monotonic()))
            thread.join()
            jobs = [desk.ended(place) for place in places]
        finally:
            over.set()
            thread.join()
        assert done == order
        all_of_them = list(zip(kinds, places, jobs, strict=True))
        undone = [job for kind, place, job in all_of_them if not kind.is_done(job, cancelled=place in cancelled)]
        assert undone == []
        assert sum(job["cancelled"] for job in jobs) > 0
        for kind, place, job in all_of_them:
            items = kind.check(place)
            assert items == sorted(set(items))
            assert len(items) == job["succeeded"] + job["failed"]
        wait_healthy(stack)
