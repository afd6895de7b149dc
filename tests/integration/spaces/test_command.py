"""`mlp spaces` and `mlp models register-embedder` as an operator types them."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlplatform.spaces import changes
from tests.fixtures.programs import IMPORTED, LIBRARIES, run_mlp
from tests.integration.embedding.tiny import write_model
from tests.integration.embedding.waiting import eventually
from tests.integration.spaces.conftest import Platform


@dataclass(frozen=True)
class Typed:
    """What came of a command."""

    exit_code: int | None
    stdout: str
    stderr: str


async def type_in(platform: Platform, *words: str, **changed: str) -> Typed:
    """Run a command as a process of its own."""
    environment = os.environ | platform.environment | {"COLUMNS": "200"} | changed
    imported = LIBRARIES if words[0] == "models" else IMPORTED
    done = await asyncio.to_thread(run_mlp, *words, environment=environment, imported=imported)
    return Typed(done.returncode, done.stdout, done.stderr)


async def json_of(platform: Platform, *words: str) -> dict:
    done = await type_in(platform, *words, "--json")
    assert done.exit_code == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Queries that each are the words of an item, and judgements that say so."""
    folder = tmp_path / "judged"
    (folder / "qrels").mkdir(parents=True)
    queries = [json.dumps({"_id": f"q{number}", "text": f"words of {number}"}) for number in range(5)]
    (folder / "queries.jsonl").write_text("\n".join(queries))
    lines = ["query-id\tcorpus-id\tscore", *(f"q{number}\t{number}\t1" for number in range(5))]
    (folder / "qrels" / "test.tsv").write_text("\n".join(lines))
    return folder


class TestSpaces:
    async def test_from_the_model_to_the_roll_back(self, platform: Platform, judged: Path, tmp_path: Path) -> None:
        model = platform.node.model.name
        items = [{"entity_type": "doc", "entity_id": str(at), "text": f"words of {at}"} for at in range(5)]
        await platform.search.post("/api/v1/index", json={"items": items, "wait": True, "wait_seconds": 60})

        folder = write_model(tmp_path / "third", seed=3)
        registered = await json_of(platform, "models", "register-embedder", str(folder), "--name", model)
        assert (registered["version"], registered["dimension"]) == ("3", 32)

        planned = await json_of(platform, "spaces", "create", "--model", model, "--version", "3")
        followed = await json_of(platform, "spaces", "show", str(planned["id"]), "--watch", "--timeout", "120")
        assert followed["fill"]["problem"] is None
        assert followed["items"] == {"covered": 5, "lacking": 0, "failed": 0}
        assert len(followed["nodes"]) == 1

        to = ("--to", str(planned["id"]))
        dry = await json_of(platform, "spaces", "switch", *to, "--dry-run", "--judged", str(judged), "--tolerance", "1")
        assert (dry["switched"], [probe["name"] for probe in dry["probes"]]) == (
            False,
            ["nodes", "coverage", "index", "recall", "judged"],
        )
        shown = await type_in(platform, "spaces", "switch", *to)
        assert (shown.exit_code, "is searched" in shown.stdout) == (0, True), shown.stdout + shown.stderr
        listed = await json_of(platform, "spaces", "list")
        assert [space["state"] for space in listed] == ["standby", "active"]
        assert (await type_in(platform, "spaces", "list")).exit_code == 0

        anew = await json_of(platform, "spaces", "reindex")
        assert (anew["id"], anew["vectors"], anew["anew"]) == (planned["id"], 5, True)
        assert [space["index"]["state"] for space in await json_of(platform, "spaces", "list")] == ["valid", "valid"]

        early = await type_in(platform, "spaces", "retire", "1")
        assert (early.exit_code, "--force" in early.stderr) == (3, True)
        back = await json_of(platform, "spaces", "rollback")
        assert (back["to"], back["lost"]) == (1, 0)
        assert (await json_of(platform, "spaces", "retire", str(planned["id"]), "--force"))["state"] == "retired"
        assert (await type_in(platform, "spaces", "rollback")).exit_code == 3

        # The administrator's route says the same.
        answer = (await platform.embedding.get("/api/v1/spaces")).json()
        assert [(space["id"], space["state"]) for space in answer["spaces"]] == [(1, "active")]

    async def test_a_probe_that_fails_forbids_the_switch(self, platform: Platform) -> None:
        record = await changes.plan(platform.database, platform.node.model.name, "2", "operator:test")

        async def building() -> bool:
            return (await changes.find_space(platform.database, record.id)).space is not None

        await eventually(building)
        async with platform.database.transaction() as connection:
            await connection.execute("INSERT INTO embedding_nodes VALUES ('silent', '{}', now())")

        refused = await type_in(platform, "spaces", "switch", "--to", str(record.id))

        assert (refused.exit_code, "silent" in refused.stdout) == (3, True)
        unknown = await type_in(platform, "spaces", "switch", "--to", "99")
        assert (unknown.exit_code, "99" in unknown.stderr) == (64, True)

    async def test_the_switch_builds_an_index_that_is_missing(self, platform: Platform, owner) -> None:
        record = await changes.plan(platform.database, platform.node.model.name, "2", "operator:test")
        await json_of(platform, "spaces", "show", str(record.id), "--watch", "--timeout", "120")
        owner.execute(f"DROP INDEX embeddings_{record.id}_hnsw")
        to = ("--to", str(record.id))

        dry = await type_in(platform, "spaces", "switch", *to, "--dry-run")
        listed = await type_in(platform, "spaces", "list")
        done = await type_in(platform, "spaces", "switch", *to)

        assert (dry.exit_code, f"mlp spaces reindex {record.id}" in dry.stdout) == (3, True)
        assert "built by the switch" in listed.stdout
        assert (done.exit_code, "is searched" in done.stdout) == (0, True), done.stdout + done.stderr
        shown = await type_in(platform, "spaces", "reindex", str(record.id))
        assert (shown.exit_code, "built anew" in shown.stdout) == (0, True), shown.stdout + shown.stderr
        unknown = await type_in(platform, "spaces", "reindex", "99")
        assert (unknown.exit_code, "99" in unknown.stderr) == (64, True)


class TestRegisterEmbedder:
    async def test_refuses_what_may_run_code(self, platform: Platform, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "coded", seed=1)
        (folder / "modeling.py").write_text("raise SystemExit")

        refused = await type_in(platform, "models", "register-embedder", str(folder))
        missing = await type_in(platform, "models", "register-embedder", str(tmp_path / "nothing"))

        assert (refused.exit_code, "modeling.py is code" in refused.stderr) == (1, True)
        assert (missing.exit_code, "neither a folder" in missing.stderr) == (1, True)
