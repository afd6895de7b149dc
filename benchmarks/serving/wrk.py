"""Closed loop: as many connections as asked for, each sending its next request when the last was answered."""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.encodings import Message

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT = "60s"
GRACE_SECONDS = 90.0


class WrkError(Exception):
    """wrk is missing, or failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a closed loop saw.

    Attributes:
        requests_per_second: Answers with a status of 200 to 399.
        p50: Milliseconds within which half of the answers came.
        p99: Milliseconds within which all but one in a hundred came.
        failed: Other answers, broken connections and timeouts.
    """

    requests_per_second: float
    p50: float
    p99: float
    failed: int


def measure(url: str, message: Message, connections: int, seconds: float) -> Load:
    """Send one message again and again.

    Raises:
        WrkError: wrk is not installed, or failed.
    """
    program = find()
    with tempfile.NamedTemporaryFile() as body:
        body.write(message.body)
        body.flush()
        headers = [f"{name}: {value}" for name, value in message.headers.items()]
        command = [
            program,
            "--threads",
            "1",
            "--connections",
            str(connections),
            "--duration",
            f"{max(1, round(seconds))}s",
        ]
        options = ["--timeout", TIMEOUT, "--script", str(SCRIPT), url, "--", body.name, *headers]
        try:
            done = subprocess.run(
                [*command, *options], capture_output=True, text=True, check=False, timeout=seconds + GRACE_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise WrkError("wrk did not end") from error
    if done.returncode:
        raise WrkError(f"wrk ended with {done.returncode}: {done.stdout}{done.stderr}")
    return parse(done.stdout)


def find() -> str:
    """Return the path of wrk.

    Raises:
        WrkError: it is not installed.
    """
    program = shutil.which("wrk")
    if program is None:
        raise WrkError("wrk is not installed: apt-get install wrk, or brew install wrk")
    return program


def parse(output: str) -> Load:
    """Read what `wrk.lua` writes when wrk is done.

    Raises:
        WrkError: it wrote nothing.
    """
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise WrkError(f"wrk reported nothing: {output}")
    seen = json.loads(lines[-1])
    return Load(
        requests_per_second=(seen["requests"] - seen["refused"]) / (seen["microseconds"] / 1e6),
        p50=seen["p50"] / 1000,
        p99=seen["p99"] / 1000,
        failed=seen["refused"] + seen["broken"] + seen["timeouts"],
    )
