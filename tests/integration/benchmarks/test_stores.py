"""The benchmark of search stores the same items in every store, and finds them."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg import sql
from redis import Redis

from benchmarks.search import databases, exact, store
from benchmarks.search.corpus import TOPICS, Corpus
from benchmarks.search.databases import Database, DatabaseTakenError
from benchmarks.search.peers import PEERS, GivenUpError, Process

ITEMS = 1000
DIMENSION = 16
USUAL = next(peer for peer in PEERS if peer.requirements is None)
MODEL = {"name": "text-embedder", "version": "1", "digest": "0" * 64}


def rows(count: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def corpus() -> Corpus:
    found = Corpus(ITEMS)
    found.centres = rows(TOPICS, 1)
    return found


@pytest.fixture
def name() -> str:
    return f"bench_test_{uuid4().hex[:12]}"


@pytest.fixture
def plain(stack_env: dict[str, str], name: str) -> Iterator[Database]:
    with databases.database(stack_env, name, keep=False, migrated=False) as made:
        yield made


class TestPeer:
    def test_finds_the_true_neighbours_of_the_same_items(self, corpus: Corpus, plain: Database, tmp_path: Path):
        np.save(tmp_path / "centres.npy", corpus.centres)
        queries = rows(5, 2)
        neighbours = exact.find(corpus, queries)
        texts, vectors = corpus.queries(5), queries.tolist()
        with Process(USUAL, None, {"url": plain.owner}, tmp_path) as process:
            loaded = process.do("load", items=ITEMS, seed=corpus.seed, centres=str(tmp_path / "centres.npy"))
            assert loaded["checksum"] == neighbours.checksum
            assert {"items", "vectors", "words"} <= set(loaded["seconds"])
            assert loaded["bytes"] > 0
            for variant in USUAL.variants:
                order = {"texts": texts, "vectors": vectors, "parameters": dict(variant.parameters)}
                found = process.do("find", mode="vector", tag="all", **order)["found"]
                assert neighbours.judge("all", found)["recall_at_10"] > 0.9
                tagged = set(np.flatnonzero(next(corpus.chunks()).tags["tenth"]))
                found = process.do("find", mode="vector", tag="tenth", **order)["found"]
                assert all(answer and tagged.issuperset(answer) for answer in found)
                hybrid = process.do("find", mode="hybrid", tag=None, **order)["found"]
                assert all(len(set(answer)) == 10 for answer in hybrid)

    def test_end_of_its_process_is_told(self, plain: Database, tmp_path: Path):
        with (
            Process(USUAL, None, {"url": plain.owner}, tmp_path) as process,
            pytest.raises(GivenUpError, match="KeyError: 'nothing'"),
        ):
            process.do("nothing")


class TestDatabase:
    def test_is_gone_when_the_block_ends(self, stack_env: dict[str, str], name: str):
        with databases.database(stack_env, name, keep=False, migrated=False) as made:
            assert made.content() is None
            assert set(made.versions()) == {"postgres", "pgvector"}
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(made.owner)

    def test_one_that_was_kept_is_gone_on_with_and_stays(self, stack_env: dict[str, str], name: str):
        with databases.database(stack_env, name, keep=True, migrated=False) as made:
            made.mark({"items": 5})
        try:
            for _ in range(2):
                with databases.database(stack_env, name, keep=False, migrated=False) as again:
                    assert again.content() == {"items": 5}
        finally:
            with psycopg.connect(stack_env[databases.ADMIN], autocommit=True) as server:
                server.execute(f"DROP DATABASE {name}")

    def test_two_runs_do_not_share_one(self, stack_env: dict[str, str], name: str):
        with (
            databases.database(stack_env, name, keep=False, migrated=False) as made,
            pytest.raises(DatabaseTakenError, match="another run"),
            databases.database(stack_env, name, keep=False, migrated=False),
        ):
            pass
        assert made.name == name

    def test_one_that_a_broken_off_run_left_is_made_anew(self, stack_env: dict[str, str], name: str):
        with (
            databases.database(stack_env, name, keep=True, migrated=False) as made,
            psycopg.connect(made.owner) as connection,
        ):
            connection.execute("CREATE TABLE half_filled ()")
        with (
            databases.database(stack_env, name, keep=False, migrated=False) as again,
            psycopg.connect(again.owner) as connection,
        ):
            assert connection.execute("SELECT to_regclass('half_filled')").fetchone() == (None,)

    def test_somebody_elses_is_left_alone(self, stack_env: dict[str, str], name: str):
        with psycopg.connect(stack_env[databases.ADMIN], autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
            try:
                with (
                    pytest.raises(DatabaseTakenError, match=name),
                    databases.database(stack_env, name, keep=False, migrated=False),
                ):
                    pass
                assert server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            finally:
                server.execute(f"DROP DATABASE {name}")


class TestFill:
    def test_leaves_items_as_the_services_would(self, stack_env: dict[str, str], name: str, corpus: Corpus):
        with databases.database(stack_env, name, keep=False) as made:
            seconds = store.fill(made.owner, corpus, MODEL)
            assert set(seconds) == {"items", "vectors", "hnsw", "words", "analyze"}
            with psycopg.connect(made.app) as connection:
                connection.execute("SELECT set_config('ml.tenant', %s, false)", (store.TENANT,))
                items = connection.execute("SELECT state, count(*) FROM search_items GROUP BY state").fetchall()
                assert items == [("embedded", ITEMS)]
                space = connection.execute("SELECT id FROM embedding_spaces WHERE state = 'active'").fetchone()
                table = sql.Identifier(f"embeddings_{space[0]}")
                vectors = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
                assert vectors == (ITEMS,)
                assert connection.execute("SELECT embedding_index_state(%s)", space).fetchone() == ("valid",)
                words = connection.execute("SELECT sum(documents) FROM search_segments").fetchone()
                assert words == (ITEMS,)
            store.delete(made.owner, store.KIND)
            with psycopg.connect(made.owner) as connection:
                assert connection.execute("SELECT count(*) FROM search_items").fetchone() == (0,)


class TestRedis:
    def test_is_empty_before_and_after(self, stack_env: dict[str, str]):
        with databases.redis(stack_env["ML_REDIS_URL"]) as url:
            with Redis.from_url(url) as client:
                assert client.dbsize() == 0
                client.set("key", "value")
            with databases.redis(stack_env["ML_REDIS_URL"]) as other:
                assert other != url
        with Redis.from_url(url) as client:
            assert client.dbsize() == 0
