"""Does the version load in a fresh process and score its input example through the serving code?"""

import asyncio
import os
import shlex
import signal
import sys

from pydantic import BaseModel, ValidationError

from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status

GATE = "servability"
SERVING = "serving"
PROBE = (sys.executable, "-m", "services.model_serving.probe")
MEBIBYTE = 2**20


class ProbeResult(BaseModel):
    """What the probe of model serving prints."""

    ok: bool
    load_seconds: float | None = None
    predict_ms: float | None = None
    rss_bytes: int | None = None
    reason: str | None = None


async def check(candidate: Candidate) -> Finding:
    """Have a process of its own try the version: one that breaks, hangs or takes all memory does so there."""
    owner = candidate.model.served_by
    if owner != SERVING:
        return Finding(GATE, Status.SKIPPED, f"Not tried: the {owner} service serves it, not model serving.")
    given = candidate.settings.servability_command
    command = [*(PROBE if given is None else shlex.split(given)), "--model", candidate.version.name]
    command += ["--version", candidate.version.version, "--json"]
    seconds = candidate.settings.servability_timeout.total_seconds()
    try:
        status, output, complaints = await _run(command, seconds)
    except TimeoutError:  # an OSError as well, hence first
        message = f"It did not load and answer within {seconds:g} s. Raise ML_SERVABILITY_TIMEOUT if it needs longer."
        return Finding(GATE, Status.FAILED, message)
    except OSError as error:
        message = f"{command[0]} cannot be run: {error.strerror}. Set ML_SERVABILITY_COMMAND to a program that can."
        return Finding(GATE, Status.FAILED, message)
    try:
        result = ProbeResult.model_validate_json(output)
    except ValidationError:
        last = complaints.decode(errors="replace").strip().rpartition("\n")[2]
        message = f"The process that tried it ended with {status} and no result: {last or 'it said nothing'}"
        return Finding(GATE, Status.FAILED, message)
    detail = result.model_dump()
    if not result.ok:
        return Finding(GATE, Status.FAILED, f"It cannot be served: {result.reason or 'no reason given'}", detail)
    return Finding(GATE, Status.PASSED, f"Loaded and scored its input example: {_figures(result)}.", detail)


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


def _figures(result: ProbeResult) -> str:
    figures = []
    if result.load_seconds is not None:
        figures.append(f"load {result.load_seconds:.1f} s")
    if result.predict_ms is not None:
        figures.append(f"predict {result.predict_ms:.1f} ms")
    if result.rss_bytes is not None:
        figures.append(f"memory {result.rss_bytes / MEBIBYTE:.0f} MiB")
    return ", ".join(figures)
