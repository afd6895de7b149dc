"""An upload that goes on over whatever dies beneath it, and what came of its items."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from mlplatform.certificates import certificates

REQUEST_SECONDS = 30.0
PAUSE_SECONDS = 0.25
LINES_A_PART = 50
# Slow enough for the upload to last over a kill.
PART_SECONDS = 0.1
AWAY = {429, 503, 504}
WORDS = ("apple", "pear", "plum", "cherry", "quince")
PER_SEARCH = 100
LEGS: tuple[dict[str, str], ...] = ({"mode": "vector"}, {"mode": "lexical", "query": "kept over a kill"})
"""What a search says to ask each leg alone; every item has these words."""


class BulkUpload:
    """Sends items as one upload, again and again under one name until all are acknowledged, while it is open.

    Args:
        url: Of the search service.
        count: Items.
        seconds: How long it may take.
    """

    def __init__(self, url: str, count: int, seconds: float) -> None:
        self.name = f"kill-{uuid4().hex}"
        self.keys = [str(number) for number in range(count)]
        self.end: dict[str, Any] = {}
        self.wrong: list[str] = []
        self._url = url
        self._deadline = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()

    def wait_for(self, lines: int) -> int:
        """Return how many lines are acknowledged once it is that many."""
        return int(self._ask(lambda state: state["acknowledged"] >= lines)["acknowledged"])

    def delete(self, keys: Sequence[str]) -> None:
        """Delete items, a few at a time, until the service says that it has."""
        for start in range(0, len(keys), 10):
            query = [("entity_type", self.name), *(("entity_id", key) for key in keys[start : start + 10])]
            self._insist("DELETE", "/api/v1/index", params=query)

    def unfinished(self) -> dict[str, int]:
        """Wait until nothing is left to embed; return the counts by state."""
        counts: dict[str, int] = {}
        while time.monotonic() < self._deadline:
            counts = self._insist("GET", "/api/v1/index/states").json()
            if not counts["pending"]:
                break
            time.sleep(PAUSE_SECONDS)
        return counts

    def found(self, leg: dict[str, str]) -> set[str]:
        """Return the ids of all items that searches of a leg find."""
        found: set[str] = set()
        for part in range(-(-len(self.keys) // PER_SEARCH)):
            body = {
                "query": " ".join(WORDS),
                "limit": 2 * PER_SEARCH,
                "entity_types": [self.name],
                "filters": {"part": part},
                **leg,
            }
            answer = self._insist("POST", "/api/v1/search", json=body).json()
            found |= {result["entity_id"] for result in answer["results"]}
        return found

    def existing(self, keys: Iterable[str]) -> set[str]:
        """Return those of some items that can be read by their key."""
        paths = {key: f"/api/v1/index/{self.name}/{key}" for key in keys}
        return {key for key, path in paths.items() if self._insist("GET", path, missing=True).status_code != 404}

    def _send(self) -> None:
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": self.name}
        while time.monotonic() < self._deadline:
            try:
                answer = httpx.post(
                    f"{self._url}/api/v1/index/bulk",
                    content=self._parts(),
                    headers=headers,
                    timeout=REQUEST_SECONDS,
                    trust_env=False,
                )
            except httpx.TransportError:
                time.sleep(PAUSE_SECONDS)
                continue
            if answer.is_success:
                self.end = json.loads(answer.text.splitlines()[-1])
                if self.end["status"] != "interrupted":
                    return
            elif answer.status_code not in AWAY:
                self.wrong.append(f"{answer.status_code}: {answer.text[:300]}")
            time.sleep(PAUSE_SECONDS)

    def _parts(self) -> Iterator[bytes]:
        for start in range(0, len(self.keys), LINES_A_PART):
            yield b"".join(self._line(int(key)) for key in self.keys[start : start + LINES_A_PART])
            time.sleep(PART_SECONDS)

    def _line(self, number: int) -> bytes:
        text = f"{WORDS[number % len(WORDS)]} note {number}, kept over a kill"
        item = {
            "entity_type": self.name,
            "entity_id": str(number),
            "text": text,
            "metadata": {"part": number // PER_SEARCH},
        }
        return json.dumps(item).encode() + b"\n"

    def _ask(self, holds: Any) -> dict[str, Any]:
        while True:
            answer = self._insist("GET", "/api/v1/index/bulk", params={"upload": self.name}, missing=True)
            if answer.is_success and holds(state := answer.json()):
                return dict(state)
            if time.monotonic() > self._deadline:
                raise TimeoutError(answer.text)
            time.sleep(PAUSE_SECONDS / 5)

    def _insist(self, method: str, path: str, *, missing: bool = False, **options: Any) -> httpx.Response:
        """Call until the parts that it needs are there."""
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
                if answer.is_success or (missing and answer.status_code == 404):
                    return answer
                problem = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code not in AWAY:
                    raise AssertionError(f"{method} {path}: {problem}")
            if time.monotonic() > self._deadline:
                raise TimeoutError(f"{method} {path}: {problem}")
            time.sleep(PAUSE_SECONDS)
