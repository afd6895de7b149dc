"""Parts are killed at random while batch jobs are submitted and scored."""

import os
import random
import signal
import threading

import psutil

from mlplatform.stack import Stack
from tests.integration.model_serving.publisher import frame_of, records_of
from tests.resilience.jobs import JobDesk
from tests.resilience.test_stack import pids_of, wait_healthy

PARTS = ("batch", "scorer", "serving", "redis", "postgres", "s3")
JOBS = 50
ITEMS = 600
"""Three chunks of each job."""
SECONDS = 240.0
BETWEEN_KILLS = 4.0
INPUTS = records_of(frame_of(ITEMS, seed=5))


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
    def test_each_item_of_each_job_has_one_result(self, stack: Stack, model: str) -> None:
        wait_healthy(stack)
        order = [*PARTS, *PARTS]
        random.Random(7).shuffle(order)  # noqa: S311 (a schedule, and no secret)
        over = threading.Event()
        done: list[str] = []

        def destroy() -> None:
            for part in order:
                if over.wait(BETWEEN_KILLS):
                    return
                kill(stack, part)
                done.append(part)

        desk = JobDesk(stack.env()["ML_SERVING_URL"], SECONDS)
        thread = threading.Thread(target=destroy)
        thread.start()
        try:
            places = []
            for _ in range(JOBS):
                places.append(desk.submit(model, INPUTS))
                over.wait(len(order) * BETWEEN_KILLS / JOBS)
            thread.join()
            jobs = [desk.ended(place) for place in places]
        finally:
            over.set()
            thread.join()
        assert done == order
        assert [job["state"] for job in jobs] == ["completed"] * JOBS
        assert [job["succeeded"] for job in jobs] == [ITEMS] * JOBS
        first = [one["output"] for one in desk.results(places[0])]
        for place in places:
            found = desk.results(place)
            assert [one["item"] for one in found] == list(range(ITEMS))
            assert [one["output"] for one in found] == first
        wait_healthy(stack)
