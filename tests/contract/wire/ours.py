"""Our service in a process of its own, for clients that need a socket."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mlplatform.stack.ports import choose_port
from tests.contract.wire.published import Published
from tests.fixtures.programs import LIBRARIES, python_with

SECONDS = 120.0


@contextmanager
def our_server(stack_env: Mapping[str, str], models: Published, folder: Path) -> Iterator[httpx.Client]:
    """Serve published models until the block ends."""
    port = choose_port([])
    environment = {
        "ML_SERVING_PORT": str(port),
        "ML_SERVING_CACHE": str(folder / "cache"),
        "ML_SERVING_MODELS": f"{models.prefix}*",
        "ML_RATE_LIMIT_ENABLED": "false",
        "ML_OTLP_ENDPOINT": "",
    }
    log = folder / "ours.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*python_with(*LIBRARIES), "-m", "services.model_serving"],
            env=os.environ | dict(stack_env) | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
                _wait(client, models, log)
                yield client
        finally:
            process.terminate()
            process.wait(timeout=SECONDS)


def _wait(client: httpx.Client, models: Published, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    wanted = {models.name(name) for name in models.uris}
    while time.monotonic() < deadline:
        try:
            rows = client.post("/v2/repository/index", json={"ready": True})
            if rows.status_code == 200 and wanted <= {row["name"] for row in rows.json()}:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not all models were loaded\n{log.read_text()[-3000:]}")
