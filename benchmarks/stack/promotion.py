"""How soon a promoted version answers: from the commit in the ledger to its first prediction."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

import httpx

PROMOTE = Path(__file__).parents[2] / "scripts" / "promote_model.py"
PAUSE = 0.005
DEADLINE = 30.0


class Watch:
    """Predicts again and again, and notes when each version answered first after another had."""

    def __init__(self, serving_url: str, model: str, row: dict[str, float]) -> None:
        self._url = f"{serving_url}/api/v1/predict"
        self._body = {"model": model, "inputs": [row]}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen: list[tuple[float, str]] = []
        self.failed = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._stopping.is_set():
                answer = client.post(self._url, json=self._body)
                version = answer.headers.get("X-Model-Version", "")
                # Before the first promotion there is nothing to serve, and that is no failure.
                self.failed += answer.status_code != 200 and bool(self.seen)
                if answer.status_code == 200 and (not self.seen or self.seen[-1][1] != version):
                    self.seen.append((time.time(), version))
                time.sleep(PAUSE)


def measure(
    environment: Mapping[str, str],
    model: str,
    row: dict[str, float],
    versions: int,
    report: Callable[[str], None],
    *,
    first: int = 1,
) -> tuple[list[float], int]:
    """Promote versions `first` to `versions` one after the other, and roll all of them back but version 1.

    Returns:
        Seconds of each change, and how many predictions failed meanwhile.

    Raises:
        RuntimeError: a promotion failed, or its version did not answer in time.
    """
    waits = []
    with Watch(environment["ML_SERVING_URL"], model, row) as watch:
        for number in range(first, versions + 1):
            report(f"promote version {number} of {versions}")
            _promote(environment, model, "--stage", "Production", "--version", str(number))
            waits.append(_answered(watch, str(number)) - _committed(environment, model))
        for number in range(versions - 1, 0, -1):
            report(f"roll back to version {number}")
            _promote(environment, model, "--rollback")
            waits.append(_answered(watch, str(number)) - _committed(environment, model))
    return waits, watch.failed


def _answered(watch: Watch, version: str) -> float:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if watch.seen and watch.seen[-1][1] == version:
            return watch.seen[-1][0]
        time.sleep(PAUSE)
    raise RuntimeError(f"version {version} did not answer within {DEADLINE:.0f} s")


def _committed(environment: Mapping[str, str], model: str) -> float:
    history = json.loads(_promote(environment, model, "--history"))
    return datetime.fromisoformat(history["promotions"][0]["committed_at"]).timestamp()


def _promote(environment: Mapping[str, str], model: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, PROMOTE, "--model", model, *arguments, "--json"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
