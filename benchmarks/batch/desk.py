"""A tenant's jobs over HTTP."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from benchmarks.batch.nodes import Nodes

PAUSE = 0.02
PATIENCE = 600.0


class JobError(Exception):
    """A job did not become what it should; the message says what it was."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Submits and watches jobs.

    Attributes:
        client: Of serving.
        headers: Which say whose jobs they are.
    """

    client: httpx.Client
    headers: dict[str, str]

    @classmethod
    def of(cls, nodes: Nodes, tenant: str) -> "Desk":
        """Return the desk of a tenant."""
        return cls(nodes.client, nodes.headers(tenant))

    def submit(self, path: str, **request: Any) -> str:  # noqa: ANN401 - what httpx takes
        """Submit a job and return where it is."""
        headers = self.headers | request.pop("headers", {})
        answer = self.client.post(path, headers=headers, **request)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise JobError(f"{path}: {answer.status_code} {answer.text[:500]}")
        return str(answer.headers["location"])

    def get(self, path: str, **query: str | int) -> httpx.Response:
        """Read something; its status is the caller's to judge."""
        return self.client.get(path, headers=self.headers, params=query)

    def look(self, job: str) -> dict[str, Any]:
        """Return a job."""
        found: dict[str, Any] = self.get(job).raise_for_status().json()
        return found

    def cancel(self, job: str) -> None:
        """Cancel a job unless it has ended."""
        self.client.post(f"{job}/cancel", headers=self.headers)

    def first_result(self, job: str) -> dict[str, Any]:
        """Wait for the first result of a job, and return it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = self.get(f"{job}/results", limit=1).raise_for_status().json()["results"]
            if found:
                result: dict[str, Any] = found[0]
                return result
            time.sleep(PAUSE)
        raise JobError(f"no result: {self.look(job)}")

    def ended(self, job: str) -> dict[str, Any]:
        """Wait for the end of a job, with which its events end, and return it.

        Raises:
            JobError: An item failed, or the events ended first.
        """
        self.get(f"{job}/events").raise_for_status()
        found = self.look(job)
        if not found["finished_at"]:
            raise JobError(f"no end: {found}")
        if found["succeeded"] != found["items"]:
            raise JobError(f"not every item succeeded: {found}")
        return found


def at_once(work: Callable[[], object], times: int) -> None:
    """Do something several times at once, so that each process that scores is needed and loads the model.

    Args:
        work: Submits a job and waits for it.
        times: How often.
    """
    with ThreadPoolExecutor(times) as threads:
        for done in [threads.submit(work) for _ in range(times)]:
            done.result()
