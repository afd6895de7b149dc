"""Batch jobs that are submitted and watched over whatever dies beneath them."""

import time
from collections.abc import Mapping
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
        """Submit items once, however often it must be said, and return where their job is."""
        return self._submit("/api/v1/batch", {}, json={"model": model, "version": 1, "inputs": inputs})

    def submit_files(self, model: str, files: Mapping[str, bytes]) -> str:
        """Do the same with files."""
        parts = [("files", (name, content)) for name, content in files.items()]
        return self._submit("/api/v1/batch/files", {}, data={"model": model, "version": "1"}, files=parts)

    def submit_table(self, model: str, content: bytes) -> str:
        """Do the same with a table in CSV."""
        query = {"model": model, "version": "1"}
        return self._submit("/api/v1/batch/table", {"Content-Type": "text/csv"}, content=content, params=query)

    def _submit(self, path: str, headers: Mapping[str, str], **options: Any) -> str:
        answer = self._insist("POST", path, headers={**headers, "Idempotency-Key": uuid4().hex}, **options)
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

    def cancel(self, place: str) -> None:
        """Cancel a job, unless it has ended."""
        answer = self._insist("POST", f"{place}/cancel", may_be_late=True)
        assert answer.is_success or answer.json()["code"] == "job_ended", answer.text

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

    def download(self, place: str) -> bytes:
        """Return the file with the results of a job, in Parquet, as soon as it is written."""
        return self._insist("GET", f"{place}/results.parquet", follow_redirects=True).content

    def _insist(self, method: str, path: str, *, may_be_late: bool = False, **options: Any) -> httpx.Response:
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
                if answer.is_success or (may_be_late and answer.status_code == httpx.codes.CONFLICT):
                    return answer
                problem = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code not in AWAY and answer.status_code != httpx.codes.CONFLICT:
                    raise AssertionError(f"{method} {path}: {problem}")
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"{method} {path}: {problem}")
            time.sleep(PAUSE_SECONDS)
