"""MLflow's own scoring server, as the oracle."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mlplatform.stack.ports import choose_port
from tests.fixtures.programs import LIBRARIES, python_with

SECONDS = 120.0


@contextmanager
def stock_servers(models: Mapping[str, Path], folder: Path) -> Iterator[httpx.Client]:
    """Serve saved models until the block ends, each under its name."""
    port = choose_port([])
    url = f"http://127.0.0.1:{port}"
    command = [*python_with(*LIBRARIES), "-m", "uvicorn", "--app-dir", str(Path(__file__).parent), "stock_app:app"]
    environment = os.environ | {"MODELS": ",".join(f"{name}={path}" for name, path in models.items())}
    log = folder / "stock.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait(f"{url}/{next(iter(models))}/ping", log)
            limits = httpx.Limits(max_keepalive_connections=0)  # it closes connections after a fault
            with httpx.Client(base_url=url, timeout=60, trust_env=False, limits=limits) as client:
                yield client
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"{url} does not answer\n{log.read_text()[-2000:]}")
