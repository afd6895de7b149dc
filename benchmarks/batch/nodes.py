"""Serving and a worker as processes on the benchmark's own database, as an operator starts them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx

from benchmarks.serving.backing import service_settings
from benchmarks.serving.processes import Launch, Server
from mlplatform.auth.roles import Role
from mlplatform.auth.tokens import mint_token
from mlplatform.settings import PlatformSettings
from mlplatform.stack.ports import choose_port

ROOT = Path(__file__).parents[2]
MOST_ITEMS = 10**9
"""That a tenant may have: those of all rounds together are more than by default."""
START_SECONDS = 180.0
REQUEST_SECONDS = 300.0
TOKEN_LIFE = timedelta(hours=6)
CONNECTIONS = 200


@dataclass(frozen=True, slots=True)
class Nodes:
    """The running services.

    Attributes:
        client: Of serving.
        worker: The worker, with the processes that score.
        settings: Of both.
        processes: Of the worker that score.
    """

    client: httpx.Client
    worker: Server
    settings: PlatformSettings
    processes: int

    def headers(self, tenant: str) -> dict[str, str]:
        """Return what proves a user of a tenant."""
        token = mint_token(self.settings, subject="bench", tenant=tenant, roles=[Role.USER], ttl=TOKEN_LIFE)
        return {"Authorization": f"Bearer {token}"}


@contextmanager
def running(settings: Mapping[str, str], models: str, folder: Path, processes: int) -> Iterator[Nodes]:
    """Run both for the time of the block.

    Args:
        settings: Of the stack, with the benchmark's own database, Redis and bucket.
        models: What the names of the served models begin with.
        folder: For caches and logs.
        processes: Of the worker that score.

    Raises:
        StartError: One is not ready in time.
    """
    ports: list[int] = []
    for _ in range(2):
        ports.append(choose_port(ports))
    variables = {
        **service_settings(dict(settings)),
        "ML_AUTH_ENABLED": "true",
        "ML_RATE_LIMIT_ENABLED": "false",
        "ML_LOG_LEVEL": "WARNING",
        "ML_SERVING_MODELS": f"{models}*",
        "ML_SERVING_PORT": str(ports[0]),
        "ML_BATCH_PORT": str(ports[1]),
        "ML_BATCH_PROCESSES": str(processes),
        "ML_BATCH_QUOTA_ITEMS": str(MOST_ITEMS),
        "ML_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    url = f"http://127.0.0.1:{ports[0]}"
    with (
        _server("services.model_serving", ports[0], variables, folder / "serving.log"),
        _server("services.model_serving.batch", ports[1], variables, folder / "batch.log") as worker,
        httpx.Client(base_url=url, timeout=REQUEST_SECONDS, trust_env=False, limits=limits) as client,
    ):
        yield Nodes(client, worker, _platform(settings), processes)


def _platform(settings: Mapping[str, str]) -> PlatformSettings:
    return PlatformSettings.model_validate(
        {name.removeprefix("ML_").lower(): value for name, value in settings.items() if name.startswith("ML_JWT_")}
    )


@contextmanager
def _server(module: str, port: int, variables: Mapping[str, str], log: Path) -> Iterator[Server]:
    launch = Launch([sys.executable, "-m", module], variables, ROOT)
    with Server(launch, log) as server:
        server.start(_readiness(f"http://127.0.0.1:{port}/health/ready"), START_SECONDS)
        yield server


def _readiness(url: str) -> Callable[[], str | None]:
    def problem() -> str | None:
        try:
            answer = httpx.get(url, trust_env=False)
        except httpx.TransportError as error:
            return str(error)
        return None if answer.status_code == httpx.codes.OK else answer.text

    return problem
