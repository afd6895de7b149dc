"""A generator of load that runs in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.serving.encodings import Message
from benchmarks.serving.lane import render
from benchmarks.serving.open_loop import Flood, Slice, Specification

ROOT = Path(__file__).parents[2]
GRACE_SECONDS = 60.0
CONNECTIONS = 1536
"""Of a flood; far more than a server answers at a time."""


class Generation:
    """Requests on their way."""

    def __init__(self, url: str, message: Message, slices: Sequence[Slice], *, seconds: float, patience: float) -> None:
        """Start sending a message.

        Args:
            url: Of the server, on loopback.
            message: What to send.
            slices: How often, and over how many connections.
            seconds: That are counted of each slice; there is up to a second of warm-up before.
            patience: Seconds that the last answers of a slice are waited for.
        """
        address = urlsplit(url)
        self._folder = tempfile.TemporaryDirectory()
        request = Path(self._folder.name) / "request"
        request.write_bytes(render(address.path or "/", address.port or 80, message.headers, message.body))
        given = Specification(
            port=address.port or 80,
            request=str(request),
            slices=slices,
            warm_up=min(1.0, seconds / 4),
            seconds=seconds,
            patience=patience,
        )
        self._longest = len(slices) * (given.warm_up + seconds + patience) + GRACE_SECONDS
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.open_loop", json.dumps(asdict(given))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> None:
        """Send no more."""
        self._process.terminate()

    def result(self) -> list[Flood]:
        """Wait for the end, and return what came of each slice that was begun.

        Raises:
            RuntimeError: the generator failed.
        """
        try:
            output, errors = self._process.communicate(timeout=self._longest)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            raise RuntimeError("the generator did not end") from error
        finally:
            self._folder.cleanup()
        if self._process.returncode:
            raise RuntimeError(f"the generator ended with {self._process.returncode}: {errors}")
        return [Flood(**entry) for entry in json.loads(output)]
