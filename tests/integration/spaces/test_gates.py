"""A switch that recall or nDCG forbids, and the space that is searched on."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from mlplatform.database import Database
from mlplatform.events import running
from mlplatform.spaces import changes
from mlplatform.spaces.probes import COMPARED_ROWS
from mlplatform.spaces.space import Space, SpaceState
from services.embedding import following
from services.embedding.following import Follower
from tests.fixtures.programs import run_mlp
from tests.integration.embedding.tiny import write_model
from tests.integration.embedding.waiting import eventually
from tests.integration.spaces.conftest import Platform
from tests.integration.spaces.indexes.filling import add_items, add_vectors, make_space
from tests.integration.spaces.test_command import json_of, type_in

ITEMS = 8
SWITCH = ("spaces", "switch", "--to")


def probe_of(answer: dict, name: str) -> dict:
    return next(probe for probe in answer["probes"] if probe["name"] == name)


async def states(database: Database) -> list[SpaceState]:
    return [record.state for record in await changes.list_spaces(database)]


class TestRecall:
    @pytest.fixture
    async def sparse(self, database: Database, owner: psycopg.Connection) -> int:
        """A space beside the searched one, in whose index hardly any vector has a way to its neighbours."""
        active = await make_space(database, "1")
        add_items(owner, COMPARED_ROWS + 1)
        add_vectors(owner, active.id)
        space_id = (await make_space(database, "2", live_items=0)).id
        add_vectors(owner, space_id)
        table = sql.Identifier(f"embeddings_{space_id}")
        with owner.transaction():
            owner.execute("SET LOCAL maintenance_work_mem = '64MB'")
            owner.execute(
                sql.SQL(
                    "CREATE INDEX sparse_hnsw ON {} USING hnsw (embedding halfvec_cosine_ops) "
                    "WITH (m = 2, ef_construction = 4)"
                ).format(table)
            )
            nodes = "INSERT INTO embedding_nodes VALUES ('a node', %s, now() + interval '1 hour')"
            owner.execute(nodes, ([active.id, space_id],))
        return space_id

    async def test_a_switch_to_an_index_that_misses_neighbours_is_refused(self, database, sparse, settings_env):
        refused = run_mlp(*SWITCH, str(sparse), "--json", environment=settings_env)
        shown = run_mlp(*SWITCH, str(sparse), environment=settings_env)

        answer = json.loads(refused.stdout)
        recall = probe_of(answer, "recall")
        assert (refused.returncode, answer["switched"], recall["passed"]) == (3, False, False), refused.stderr
        assert 0 < recall["value"] < 0.95
        assert f"is {recall['value']:.4f}, at least 0.95 is wanted" in recall["finding"]
        assert (shown.returncode, "at least 0.95 is wanted" in shown.stdout) == (3, True)
        assert await states(database) == [SpaceState.ACTIVE, SpaceState.BUILDING]

    async def test_what_it_asks_for_is_the_operator_s(self, database, sparse, settings_env):
        accepted = run_mlp(*SWITCH, str(sparse), "--recall", "0.01", environment=settings_env)

        assert accepted.returncode == 0, accepted.stdout + accepted.stderr
        assert await states(database) == [SpaceState.STANDBY, SpaceState.ACTIVE]

    async def test_no_node_switches_to_it_by_itself_until_its_index_is_mended(
        self, database, owner, sparse, settings_env, monkeypatch
    ):
        monkeypatch.setattr(following, "AGAIN_SECONDS", 0.1)
        promoted = "INSERT INTO embedding_production (model, version, follow) VALUES ('text-embedder', '2', %s)"
        owner.execute(promoted, (sparse,))
        owner.execute("UPDATE embedding_fills SET complete_at = now() WHERE space_id = %s", (sparse,))

        async def says_why() -> bool:
            problem = (await changes.find_space(database, sparse)).fill.problem or ""
            return problem.startswith("not switched to: recall: recall@10 of the index is 0.")

        async with running(Follower(database, recall=0.95, interval=timedelta(milliseconds=50)), "space follower"):
            for _ in range(2):  # it looks again
                await eventually(says_why)
                assert await states(database) == [SpaceState.ACTIVE, SpaceState.BUILDING]
                owner.execute("UPDATE embedding_fills SET problem = NULL WHERE space_id = %s", (sparse,))
            await eventually(says_why)
            listed = await asyncio.to_thread(run_mlp, "spaces", "list", "--json", environment=settings_env)
            assert "not switched to: recall: recall@10" in json.loads(listed.stdout)[1]["fill"]["problem"]

            owner.execute("DROP INDEX sparse_hnsw")
            built = await asyncio.to_thread(run_mlp, "spaces", "reindex", str(sparse), environment=settings_env)
            assert built.returncode == 0, built.stdout + built.stderr

            async def is_switched() -> bool:
                return await states(database) == [SpaceState.STANDBY, SpaceState.ACTIVE]

            await eventually(is_switched)
        assert (await changes.find_space(database, sparse)).fill.problem is None

    async def test_what_a_node_found_before_somebody_switched_is_not_said(self, database, owner, sparse, monkeypatch):
        promoted = "INSERT INTO embedding_production (model, version, follow) VALUES ('text-embedder', '2', %s)"
        owner.execute(promoted, (sparse,))
        owner.execute("UPDATE embedding_fills SET complete_at = now() WHERE space_id = %s", (sparse,))
        follower = Follower(database, recall=0.95, interval=timedelta(hours=1))

        async def refuse_late(_space: Space) -> str:
            await changes.switch(database, sparse, "an operator", accept_failures=False)
            return "it was not good enough a moment ago"

        monkeypatch.setattr(follower, "_refusal", refuse_late)
        await follower.look(await changes.list_spaces(database))

        assert await states(database) == [SpaceState.STANDBY, SpaceState.ACTIVE]
        assert (await changes.find_space(database, sparse)).fill.problem is None


class TestJudged:
    @pytest.fixture
    def judged(self, tmp_path: Path) -> Path:
        """Queries that each are the words of an item."""
        folder = tmp_path / "judged"
        (folder / "qrels").mkdir(parents=True)
        queries = [json.dumps({"_id": f"q{number}", "text": f"words of {number}"}) for number in range(ITEMS)]
        (folder / "queries.jsonl").write_text("\n".join(queries))
        lines = ["query-id\tcorpus-id\tscore", *(f"q{number}\t{number}\t1" for number in range(ITEMS))]
        (folder / "qrels" / "test.tsv").write_text("\n".join(lines))
        return folder

    async def test_a_switch_to_a_model_that_finds_less_is_refused(
        self, platform: Platform, judged: Path, tmp_path: Path
    ) -> None:
        items = [{"entity_type": "doc", "entity_id": str(at), "text": f"words of {at}"} for at in range(ITEMS)]
        await platform.search.post("/api/v1/index", json={"items": items, "wait": True, "wait_seconds": 60})
        name = platform.node.model.name
        folder = write_model(tmp_path / "blind", seed=3, blind=True)
        version = (await json_of(platform, "models", "register-embedder", str(folder), "--name", name))["version"]
        planned = await json_of(platform, "spaces", "create", "--model", name, "--version", version)
        to = str(planned["id"])
        await json_of(platform, "spaces", "show", to, "--watch", "--timeout", "120")

        refused = await type_in(platform, *SWITCH, to, "--judged", str(judged), "--json")

        answer = json.loads(refused.stdout)
        probe = probe_of(answer, "judged")
        assert (refused.exit_code, answer["switched"], probe["passed"]) == (3, False, False), refused.stderr
        assert probe["value"] < 0.9
        assert f"nDCG@10 is {probe['value']:.4f}, in the active space 1.0000, over {ITEMS} queries" in probe["finding"]
        assert [other["passed"] for other in answer["probes"] if other is not probe] == [True] * 4
        assert await states(platform.database) == [SpaceState.ACTIVE, SpaceState.BUILDING]
        found = await platform.search.post("/api/v1/search", json={"query": "words of 5", "mode": "vector", "limit": 1})
        assert [result["entity_id"] for result in found.json()["results"]] == ["5"]
