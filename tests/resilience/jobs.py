"""Batch jobs that are submitted and watched over whatever dies beneath them."""

import time
from typing import Any
from uuid import uuid4

import httpx

from mlplatform.certificates import certificates

REQUEST_SECONDS = 30.0
PAUSE_SECONDS = 0.25
AWAY = {429, 503, 504}
PAGE = 1000


class JobDesk:
    """Submits jobs, and asks after them until it is answered.

    Args:
        url: Of the serving service.
        seconds: How long all of it may take.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._deadline = time.monotonic() + seconds

    def submit(self, model: str, inputs: list[Any]) -> str:
        """Submit a job once, however often it must be said, and return where it is."""
        headers = {"Idempotency-Key": uuid4().hex}
        body = {"model": model, "version": 1, "inputs": inputs}
        answer = self._insist("POST", "/api/v1/batch", json=body, headers=headers)
        return str(answer.headers["location"])

    def ended(self, place: str) -> dict[str, Any]:
        """Wait for the end of a job, and return it."""
        while True:
            job = self._insist("GET", place).json()
            if job["finished_at"]:
                return dict(job)
            if time.monotonic() > self._deadline:
                raise TimeoutError(str(job))
            time.sleep(PAUSE_SECONDS)

    def results(self, place: str) -> list[dict[str, Any]]:
        """Return all results of a job."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = self._insist("GET", f"{place}/results", params=query).json()
            found += page["results"]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    def _insist(self, method: str, path: str, **options: Any) -> httpx.Response:
        while True:
            problem = "no answer"
            try:
                answer = httpx.request(
                    method,
                    f"{self._url}{path}",
                    timeout=REQUEST_SECONDS,
                    trust_env=False,
                    verify=certificates(),
                    **options,
                )
            except httpx.TransportError as error:
                problem = type(error).__name__
            else:
                if answer.is_success:
                    return answer
                problem = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code not in AWAY and answer.status_code != httpx.codes.CONFLICT:
                    raise AssertionError(f"{method} {path}: {problem}")
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"{method} {path}: {problem}")
            time.sleep(PAUSE_SECONDS)
