"""One run of the program that tries a version as serving would; two gates read what it says."""

import asyncio
import os
import shlex
import signal
import sys
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from mlplatform.registry.gates.candidate import Candidate

SERVING = "serving"
PROBE = (sys.executable, "-m", "services.model_serving.probe")


class ProbeResult(BaseModel):
    """What the probe of model serving prints."""

    ok: bool
    load_seconds: float | None = None
    predict_ms: float | None = None
    latencies_ms: tuple[float, ...] = ()
    rss_bytes: int | None = None
    unsafe: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    Attributes:
        result: What the program said; None when it said nothing that can be read.
        failure: Why it did not.
    """

    result: ProbeResult | None = None
    failure: str | None = None


async def try_version(candidate: Candidate) -> Trial:
    """Have a process of its own try the version: one that breaks, hangs or takes all memory does so there."""
    given = candidate.settings.servability_command
    command = [*(PROBE if given is None else shlex.split(given)), "--model", candidate.version.name]
    command += ["--version", candidate.version.version, "--json"]
    seconds = candidate.settings.servability_timeout.total_seconds()
    try:
        status, output, complaints = await _run(command, seconds)
    except TimeoutError:  # an OSError as well, hence first
        return Trial(
            failure=f"It did not load and answer within {seconds:g} s. Raise ML_SERVABILITY_TIMEOUT if it needs longer."
        )
    except OSError as error:
        return Trial(
            failure=f"{command[0]} cannot be run: {error.strerror}. Set ML_SERVABILITY_COMMAND to a program that can."
        )
    try:
        return Trial(ProbeResult.model_validate_json(output))
    except ValidationError:
        last = complaints.decode(errors="replace").strip().rpartition("\n")[2]
        return Trial(
            failure=f"The process that tried it ended with {status} and no result: {last or 'it said nothing'}"
        )


async def _run(command: list[str], seconds: float) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            output, complaints = await process.communicate()
        return await process.wait(), output, complaints
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
            await process.wait()
