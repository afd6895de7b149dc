"""`mlp traffic` against a running service."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.programs import run_mlp
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import on_a_socket, serving

__all__ = ["publisher"]


@dataclass(frozen=True)
class Typed:
    """What came of a command."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Shell:
    """Where a test types commands."""

    model: str
    environment: dict[str, str]

    async def type(self, *words: str, **changes: str) -> Typed:
        """Run a command, as a process of its own since the service logs to this one's standard output."""
        words = ("traffic", words[0], self.model, *words[1:])
        done = await asyncio.to_thread(run_mlp, *words, environment=os.environ | self.environment | changes)
        return Typed(done.returncode, done.stdout, done.stderr)

    async def json(self, *words: str) -> dict[str, Any]:
        """Run a command that succeeds, and return its document."""
        done = await self.type(*words, "--json")
        assert done.exit_code == 0, done.stdout + done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture
async def shell(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Shell]:
    """Yield a shell beside a service on a socket that serves version 1 of a model with three versions."""
    publisher.promote(publisher.linear(1.0))
    publisher.linear(2.0)
    publisher.linear(3.0)
    async with serving(settings_env, publisher, tmp_path) as service, on_a_socket(service) as url:
        yield Shell(publisher.name, settings_env | {"ML_SERVING_URL": url, "COLUMNS": "200"})


class TestCanary:
    async def test_is_set_widened_shown_and_cleared(self, shell: Shell) -> None:
        assert (await shell.json("canary", "5", "--version", "2"))["revision"] == 1
        wider = await shell.json("canary", "25")
        assert wider["document"]["canary"] == {"version": "2", "alias": None, "percent": 25.0}
        shown = await shell.type("show")
        assert shown.exit_code == 0
        assert "25 %" in shown.stdout
        assert f"next: mlp traffic report {shell.model}" in shown.stdout
        assert (await shell.json("abort", "--reason", "looks odd"))["document"]["canary"]["percent"] == 0
        assert (await shell.json("clear"))["document"] is None
        history = await shell.json("show", "--history")
        assert [entry["action"] for entry in history["revisions"]] == ["clear", "abort", "set", "set"]
        assert (await shell.type("show", "--history")).exit_code == 0

    async def test_needs_a_candidate_that_exists(self, shell: Shell) -> None:
        assert (await shell.type("canary", "5")).exit_code == 64
        refused = await shell.type("canary", "5", "--version", "99")
        assert refused.exit_code == 1
        assert "body.document.canary" in refused.stderr
        assert (await shell.type("abort")).exit_code == 1
        assert (await shell.type("clear", "everything")).exit_code == 64


class TestShadowAndExperiment:
    async def test_are_set_reported_and_ended(self, shell: Shell) -> None:
        await shell.json("shadow", "--version", "2", "--sample", "0.5")
        both = await shell.json("shadow", "--version", "3")
        assert [each["version"] for each in both["document"]["shadow"]] == ["2", "3"]
        one = await shell.json("shadow", "--version", "2", "--sample", "0")
        assert [each["version"] for each in one["document"]["shadow"]] == ["3"]
        await shell.json("experiment", "spring", "--arm", "old=@production", "--arm", "new=2:3")
        assert (await shell.type("canary", "5", "--version", "2")).exit_code == 64
        report = await shell.json("report")
        assert [arm["name"] for arm in report["experiment"]["arms"]] == ["old", "new"]
        shown = await shell.type("report")
        assert shown.exit_code == 0, shown.stdout + shown.stderr
        assert "No difference in outcome is shown yet" in shown.stdout
        assert (await shell.json("clear", "experiment"))["document"]["experiment"] is None
        assert (await shell.type("experiment", "odd", "--arm", "old")).exit_code == 64


class TestService:
    async def test_that_does_not_answer_is_told(self, shell: Shell) -> None:
        done = await shell.type("show", ML_SERVING_URL="http://127.0.0.1:9")
        assert done.exit_code == 5
        assert "ML_SERVING_URL" in done.stderr

    async def test_that_does_not_know_the_model_is_quoted(self, shell: Shell) -> None:
        unknown = Shell("unknown", shell.environment)
        done = await unknown.type("show")
        assert (done.exit_code, "unknown" in done.stderr) == (1, True)
