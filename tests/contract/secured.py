"""The three services with authentication on, beside those of the stack and on the same stores."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from mlplatform.auth import Role, mint_token
from mlplatform.settings import PlatformSettings
from mlplatform.stack.ports import choose_port
from tests.fixtures.programs import LIBRARIES, python_with

SERVICES = {"serving": "model_serving", "embedding": "embedding", "search": "search"}
SECONDS = 120.0
NO_LIMIT = str(10**6)


@dataclass(frozen=True, slots=True)
class Secured:
    """Where the services are, and how to call them.

    Attributes:
        urls: Of each service.
        environment: Their settings.
    """

    urls: Mapping[str, str]
    environment: Mapping[str, str]

    def headers(self, *roles: Role, tenant: str = "default", ttl: timedelta = timedelta(hours=1)) -> dict[str, str]:
        """Return the header of a caller with these roles."""
        secret = self.environment["ML_JWT_SECRET"]
        settings = PlatformSettings(auth_enabled=True, jwt_secret=secret)
        token = mint_token(settings, subject="tester", tenant=tenant, roles=list(roles), ttl=ttl)
        return {"Authorization": f"Bearer {token}"}


@contextmanager
def run_services(stack_env: Mapping[str, str], folder: Path) -> Iterator[Secured]:
    """Run the services until the block ends."""
    ports: dict[str, int] = {}
    for name in SERVICES:
        ports[name] = choose_port(ports.values())
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    environment = dict(stack_env) | {
        "ML_AUTH_ENABLED": "true",
        "ML_RATE_LIMIT_PER_MINUTE": NO_LIMIT,
        "ML_RATE_LIMIT_BURST": NO_LIMIT,
        "ML_OTLP_ENDPOINT": "",
        "ML_EMBEDDING_BACKEND": "torch-fp32",  # whatever computes the vectors, the answers have the same form
        # Other tests leave models that cannot be loaded, which readiness rightly tells.
        "ML_SERVING_MODELS": "contract-*",
        **{f"ML_{name.upper()}_PORT": str(port) for name, port in ports.items()},
        **{f"ML_{name.upper()}_URL": url for name, url in urls.items()},
    }
    with ExitStack() as stack:
        for name, module in SERVICES.items():
            stack.enter_context(_process(module, environment, folder / f"{name}.log"))
        for name, url in urls.items():
            _wait_ready(url, folder / f"{name}.log")
        yield Secured(urls, environment)


@contextmanager
def _process(module: str, environment: Mapping[str, str], log: Path) -> Iterator[None]:
    command = [*python_with(*LIBRARIES), "-m", f"services.{module}"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)


def _wait_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    answer = "nothing"
    while time.monotonic() < deadline:
        try:
            response = httpx.get(f"{url}/health/ready", timeout=5)
        except httpx.HTTPError as error:
            answer = repr(error)
        else:
            if response.status_code == 200:
                return
            answer = response.text
        time.sleep(0.2)
    pytest.fail(f"{url} is not ready: {answer}\n{log.read_text()[-2000:]}")
