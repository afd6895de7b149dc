"""Predictions sent without pause by a few clients, with every answer kept."""

import threading
from dataclasses import dataclass, field
from typing import Self

import httpx


@dataclass
class Load:
    """Clients that predict in a loop until the block ends.

    Attributes:
        statuses: Of all answers, in order of arrival.
        versions: That answered, in order of arrival.
        errors: Of connections.
    """

    url: str
    body: dict[str, object]
    clients: int = 4
    statuses: list[int] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._send) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stopping.is_set():
                try:
                    answer = client.post(self.url, json=self.body)
                except httpx.HTTPError as error:
                    self.errors.append(repr(error))
                    continue
                self.statuses.append(answer.status_code)
                self.versions.append(answer.headers.get("X-Model-Version", ""))
