"""`mlp search` against a search service on a port."""

import asyncio
import json
from pathlib import Path
from typing import Any

import mlflow
import pytest
import uvicorn
from click.testing import Result
from typer.testing import CliRunner

from mlplatform.auth import Role, mint_token
from mlplatform.cli.app import app as mlp
from mlplatform.cli.search import UNMEASURED
from tests.fixtures.listener import listening
from tests.integration.search.api import SECONDS, item

SETTINGS = "/api/v1/search/settings"
TOPICS = ("apple", "river", "engine", "violin", "castle")


@pytest.fixture
async def url(app):
    """The service over HTTP, in the loop of the test."""
    with listening() as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        task = asyncio.create_task(server.serve([listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@pytest.fixture
def run(url, settings, monkeypatch):
    """Run the command in a thread, as a publisher of the tenant `acme`."""
    token = mint_token(settings, subject="tester", tenant="acme", roles=[Role.PUBLISHER], ttl=SECONDS)
    monkeypatch.setenv("ML_TOKEN", token)
    monkeypatch.setenv("ML_SEARCH_URL", url)

    async def invoke(*arguments: object):
        return await asyncio.to_thread(CliRunner().invoke, mlp, ["search", *map(str, arguments)])

    return invoke


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """Documents of five topics, and 25 queries for them: words are right where vectors are."""
    folder = tmp_path / "topics"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"{t}{n}", "title": "", "text": f"{t} number{n} {t}"} for t in TOPICS for n in range(4)]
    queries = [{"_id": f"q{n}", "text": f"{TOPICS[n % 5]} about{n}"} for n in range(25)]
    write(folder / "corpus.jsonl", [*documents, {"_id": "empty", "title": "", "text": ""}])
    write(folder / "queries.jsonl", queries)
    lines = [f"q{n}\t{TOPICS[n % 5]}{document}\t1" for n in range(25) for document in range(4)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n")
    return folder


def read(done: Result) -> dict[str, Any]:
    """The last line that was printed; before it may be the log of the service, which runs in the same process."""
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1])


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.usefixtures("node")
class TestEval:
    async def test_measures_each_leg_and_both_fused(self, run, judged, tmp_path):
        done = await run("eval", judged, "--json", "--no-mlflow", "--output", tmp_path / "figures.json")

        figures = read(done)
        assert (figures["documents"], figures["empty_documents"], figures["queries"]) == (20, 1, 25)
        assert set(figures["rankings"]) == {"lexical", "vector", "convex", "rrf"}
        words = figures["rankings"]["lexical"]
        assert (words["ndcg_at_10"], words["recall_at_100"], words["mrr_at_10"]) == (1.0, 1.0, 1.0)
        assert all(ranking["ndcg_at_10"] > 0.9 for ranking in figures["rankings"].values())
        assert -0.1 < figures["fused_against_better_leg"] <= 0
        assert 0.9 < figures["first_page_ndcg_at_10"] <= 1
        assert json.loads((tmp_path / "figures.json").read_text()) == figures

    async def test_prints_a_table_and_fails_below_the_bound(self, run, judged):
        assert (await run("eval", judged, "--no-mlflow")).exit_code == 0
        done = await run("eval", judged, "--no-mlflow", "--indexed", "--at-least", "1.01", "--clean")

        assert done.exit_code == 1
        assert "nDCG@10" in done.stdout

    async def test_cleans_up(self, run, judged, api):
        await run("eval", judged, "--no-mlflow", "--clean")

        assert await api.found("apple", entity_types=["eval-topics"]) == []

    async def test_logs_a_run_with_plots(self, run, judged, settings):
        done = await run("eval", judged, "--json")

        run_id = read(done)["run"]
        client = mlflow.MlflowClient(str(settings.mlflow_url))
        logged = client.get_run(run_id)
        assert logged.data.metrics["convex.ndcg_at_10"] == 1.0
        assert 0.9 < logged.data.metrics["first_page_ndcg_at_10"] <= 1
        assert logged.data.params["collection"] == "topics"
        assert {file.path for file in client.list_artifacts(run_id, "plots")} == {
            "plots/rankings.png",
            "plots/weights.png",
        }

    async def test_a_folder_that_is_none_is_refused(self, run, tmp_path):
        done = await run("eval", tmp_path, "--no-mlflow")

        assert (done.exit_code, "qrels" in done.output or "corpus" in done.output) == (UNMEASURED, True)


@pytest.mark.usefixtures("node")
class TestTune:
    async def test_sets_a_weight_that_other_queries_gain_by(self, run, judged, api, client):
        # The stop word of the queries misleads vectors to items that have nothing but it; words pass over it.
        filler = " ".join(f"filler{n}" for n in range(20))
        await api.index_and_wait(*(item(f"{t}{n}", f"{t} {filler} end{n}") for t in TOPICS for n in range(4)))
        await api.index_and_wait(*(item(f"bait{n}", "about") for n in range(12)))
        write(judged / "queries.jsonl", [{"_id": f"q{n}", "text": f"{TOPICS[n % 5]} about"} for n in range(25)])

        tried = read(await run("tune", judged, "--entity-type", "doc", "--dry-run", "--json"))
        assert (await client.get(SETTINGS, headers=api.headers)).json() == []
        done = read(await run("tune", judged, "--entity-type", "doc", "--json"))

        assert (tried["set"], done["set"], done["present"], done["queries"]) == (False, True, 0.6, 25)
        assert done["weight"] < 0.6
        assert done["gain_held_out"] > 0
        (stored,) = (await client.get(SETTINGS, headers=api.headers)).json()
        assert (stored["entity_type"], stored["weight"]) == ("doc", done["weight"])
        assert stored["tuning"]["queries"] == 25

    async def test_leaves_a_weight_that_nothing_gains_by(self, run, judged, api, client):
        await api.index_and_wait(*(item(f"{t}{n}", f"{t} number{n}") for t in TOPICS for n in range(4)))

        done = await run("tune", judged, "--entity-type", "doc")

        assert "the weight stays 0.6" in done.stdout
        assert (await client.get(SETTINGS, headers=api.headers)).json() == []

    async def test_ids_that_are_not_in_the_index_are_told(self, run, judged):
        done = await run("tune", judged, "--entity-type", "other")

        assert done.exit_code == UNMEASURED
        assert "no relevant document" in done.output


@pytest.mark.usefixtures("space")
class TestLanguage:
    async def test_is_english_until_it_is_set(self, run):
        done = await run("language", "doc")

        assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "doc: english")

    async def test_items_are_indexed_in_it_when_the_command_returns(self, run, api):
        await api.index(item("1", "viele Häuser am Fluss"))

        told = read(await run("language", "doc", "german", "--wait", "--json"))

        assert told == {"entity_type": "doc", "language": "german", "waiting": 0}
        assert await api.found("Haus", mode="lexical") == ["1"]
        assert read(await run("language", "doc", "--json")) == told

    async def test_says_how_many_items_wait(self, run, api, kernel):
        await api.index(*(item(str(number), "viele Häuser") for number in range(3)))

        async with kernel.database.transaction("acme") as writer:
            await writer.execute("SELECT FROM search_items FOR UPDATE")  # which the service passes over
            done = await run("language", "doc", "german")

        assert done.exit_code == 0, done.output
        assert "3 items wait to be indexed in it" in done.stdout

    async def test_one_that_there_is_not_is_refused_with_those_that_there_are(self, run):
        done = await run("language", "doc", "klingon")

        assert done.exit_code == 1
        assert "body.language: is no text search configuration of Postgres; there are: arabic, " in done.stderr
