"""`mlp search index` against a running service."""

import asyncio
import gzip
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.fixtures.programs import run_mlp
from tests.integration.search.conftest import (
    api,
    app,
    client,
    embedding_server,
    kernel,
    listening,
    node,
    settings,
    space,
)
from tests.integration.search.test_bulk import line
from tests.integration.search.test_bulk_connection import port

__all__ = ["api", "app", "client", "embedding_server", "kernel", "listening", "node", "port", "settings", "space"]

Mlp = Callable[..., Awaitable[tuple[int | None, str, str]]]


@pytest.fixture
def mlp(port, api) -> Mlp:
    """Run `mlp search index` as a process of its own; return exit code, standard output and standard error."""

    async def run(*words: str, **changes: str) -> tuple[int | None, str, str]:
        own = {"ML_SEARCH_URL": f"http://127.0.0.1:{port}", "ML_TOKEN": api.headers["Authorization"].split()[1]}
        environment = os.environ | own | changes
        done = await asyncio.to_thread(run_mlp, "search", "index", *words, environment=environment)
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "items.jsonl"
    path.write_bytes(b"".join(line(str(number), f"word{number}") for number in range(20)))
    return path


class TestIndex:
    @pytest.mark.usefixtures("node")
    async def test_the_items_of_a_file_are_found(self, mlp, file, api):
        code, stdout, stderr = await mlp(str(file), "--wait")

        assert (code, stdout) == (0, "20 items stored, 0 lines wrong\n"), stderr
        assert await api.found("word7", limit=1) == ["7"]

    @pytest.mark.usefixtures("space")
    async def test_a_wrong_line_is_shown_and_fails_the_command(self, mlp, file):
        file.write_bytes(file.read_bytes() + b'{"text": ""}\n')

        code, stdout, _ = await mlp(str(file))
        assert (code, "20 items stored, 1 lines wrong" in stdout, "entity_type" in stdout) == (1, True, True)

        code, stdout, _ = await mlp(str(file), "--json")
        told = json.loads(stdout)
        assert (code, told["failed"], [wrong["line"] for wrong in told["errors"]]) == (1, 1, [21])

    @pytest.mark.usefixtures("space")
    async def test_a_compressed_file_is_read(self, mlp, file, api):
        packed = file.with_name("items.jsonl.gz")
        packed.write_bytes(gzip.compress(file.read_bytes()))

        code, _, stderr = await mlp(str(packed))

        assert code == 0, stderr
        assert (await api.get("19")).status_code == 200

    @pytest.mark.usefixtures("space")
    async def test_under_the_same_key_nothing_is_stored_twice(self, mlp, file, api):
        for _ in range(2):
            code, stdout, stderr = await mlp(str(file), "--key", "mine")
            assert (code, stdout) == (0, "20 items stored, 0 lines wrong\n"), stderr

        assert (await api.get("0")).json()["generation"] == 1

    async def test_a_service_that_is_not_there_is_named(self, mlp, file):
        code, _, stderr = await mlp(str(file), ML_SEARCH_URL="http://127.0.0.1:9")

        assert (code, "ML_SEARCH_URL" in stderr) == (5, True)

    async def test_a_missing_credential_is_explained(self, mlp, file):
        code, _, stderr = await mlp(str(file), ML_TOKEN="no token")

        assert (code, "ML_TOKEN" in stderr) == (1, True)

    async def test_a_file_that_is_not_there_is_named(self, mlp, tmp_path):
        code, _, stderr = await mlp(str(tmp_path / "none.jsonl"))

        assert (code, "is no file" in stderr) == (64, True)
