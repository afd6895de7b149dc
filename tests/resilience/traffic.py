"""Requests of users that go on while parts of the platform die, and what was acknowledged meanwhile."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import uuid4

import httpx

REQUEST_SECONDS = 10.0
# Not faster: the part that comes back needs the processors too.
PAUSE_SECONDS = 0.25
# A part is away: the answer says so, or nobody answers. MLflow itself says 500 of a store that is away.
AWAY = {503, 504}
AWAY_OF_MLFLOW = AWAY | {500}


@dataclass
class Outcomes:
    """What one kind of request met.

    Attributes:
        succeeded: Times of successes, by the monotonic clock.
        away: How often a part was away.
        wrong: Answers that no outage excuses.
    """

    succeeded: list[float] = field(default_factory=list)
    away: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Acknowledged:
    """What the platform said it had taken.

    Attributes:
        indexed: Ids of items.
        registered: Names of models in the registry.
        artifacts: Paths of files in the artifact store.
    """

    indexed: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)
    artifacts: list[str] = field(default_factory=list)


class Traffic:
    """Sends every kind of request, one after the other for each kind, while it is open."""

    def __init__(self, environment: dict[str, str], model: str, inputs: list[dict[str, float]]) -> None:
        self._environment = environment
        self._model = model
        self._inputs = inputs
        self._stop = threading.Event()
        self._to_mlflow = (self.register, self.upload)
        self.acknowledged = Acknowledged()
        self.outcomes: dict[str, Outcomes] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        kinds = (self.predict, self.index, self.search, self.register, self.upload)
        for kind in kinds:
            self.outcomes[kind.__name__] = Outcomes()
            self._threads.append(threading.Thread(target=self._repeat, args=(kind,)))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def predict(self, client: httpx.Client) -> httpx.Response:
        """Ask for a prediction."""
        url = f"{self._environment['ML_SERVING_URL']}/api/v1/predict"
        return client.post(url, json={"model": self._model, "inputs": self._inputs})

    def index(self, client: httpx.Client) -> httpx.Response:
        """Index an item."""
        key = uuid4().hex
        item = {"entity_type": "note", "entity_id": key, "text": f"note {key} of the resilience test"}
        answer = client.post(f"{self._environment['ML_SEARCH_URL']}/api/v1/index", json={"items": [item]})
        if answer.is_success:
            self.acknowledged.indexed.append(key)
        return answer

    def search(self, client: httpx.Client) -> httpx.Response:
        """Search."""
        return client.post(f"{self._environment['ML_SEARCH_URL']}/api/v1/search", json={"query": "note", "limit": 3})

    def register(self, client: httpx.Client) -> httpx.Response:
        """Create a registered model."""
        name = f"kept-{uuid4().hex}"
        url = f"{self._environment['ML_MLFLOW_URL']}/api/2.0/mlflow/registered-models/create"
        answer = client.post(url, json={"name": name})
        if answer.is_success:
            self.acknowledged.registered.append(name)
        return answer

    def upload(self, client: httpx.Client) -> httpx.Response:
        """Store an artifact whose content is its own path."""
        path = f"resilience/{uuid4().hex}.txt"
        answer = client.put(artifact_url(self._environment, path), content=path.encode())
        if answer.is_success:
            self.acknowledged.artifacts.append(path)
        return answer

    def wait_for_success(self, since: float, seconds: float) -> list[str]:
        """Return the kinds of request that had no success after `since` within so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            failing = [
                name
                for name, outcomes in self.outcomes.items()
                if not outcomes.succeeded or outcomes.succeeded[-1] < since
            ]
            if not failing or time.monotonic() > deadline:
                return failing
            time.sleep(PAUSE_SECONDS)

    def _repeat(self, kind: Callable[[httpx.Client], httpx.Response]) -> None:
        outcomes = self.outcomes[kind.__name__]
        away = AWAY_OF_MLFLOW if kind in self._to_mlflow else AWAY
        with httpx.Client(timeout=REQUEST_SECONDS, trust_env=False) as client:
            while not self._stop.is_set():
                started = time.monotonic()
                try:
                    answer = kind(client)
                except httpx.TransportError:
                    outcomes.away += 1
                else:
                    if answer.is_success:
                        outcomes.succeeded.append(started)
                    elif answer.status_code in away:
                        outcomes.away += 1
                    else:
                        outcomes.wrong.append(f"{answer.status_code}: {answer.text[:300]}")
                self._stop.wait(PAUSE_SECONDS)


def artifact_url(environment: dict[str, str], path: str) -> str:
    """Return where MLflow stores and gives out an artifact."""
    return f"{environment['ML_MLFLOW_URL']}/api/2.0/mlflow-artifacts/artifacts/{path}"
