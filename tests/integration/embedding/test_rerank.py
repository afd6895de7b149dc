"""The re-ranker over HTTP, from the registry."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import numpy as np
import pytest
import pytest_asyncio
from sentence_transformers import CrossEncoder
from torch import nn

from mlplatform.embedders.publishing import publish
from mlplatform.embedders.source import opened
from services.embedding.reranking.reranker import Reranker
from tests.integration.embedding.cross_encoders import Rerankers, own_rerankers
from tests.integration.embedding.tiny import Service, serving, write_model
from tests.integration.embedding.waiting import eventually

QUERY = "how do heat shields protect a spacecraft"
DOCUMENTS = ["a cat on a mat", "heat shields ablate", "shares fell " * 200, "a spacecraft", "x"]
SHORT = {
    "embedding_promotion_interval": timedelta(seconds=0.1),
    "embedding_rerank_documents": 20,
    "embedding_rerank_queue": 6,
}


@pytest.fixture
async def service(settings, rerankers) -> AsyncIterator[Service]:
    async with serving(settings.model_copy(update=SHORT | {"embedding_reranker": rerankers.name})) as service:
        yield service


@pytest.fixture
async def client(service, rerankers) -> httpx.AsyncClient:
    """A service that has its first re-ranker."""
    version, _ = rerankers.add(1)
    rerankers.promote(version)
    await until_served(service, version)
    return service.client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(module_settings, tmp_path_factory) -> AsyncIterator[tuple[httpx.AsyncClient, Rerankers]]:
    """A service that has its first re-ranker, and the registry, for tests that leave both as they are."""
    name, folder = f"t{uuid4().hex[:12]}", tmp_path_factory.mktemp("rerankers")
    with own_rerankers(module_settings.mlflow_url, name, folder) as rerankers:
        version, _ = rerankers.add(1)
        rerankers.promote(version)
        settings = module_settings.model_copy(update=SHORT | {"embedding_reranker": rerankers.name})
        async with serving(settings) as service:
            await until_served(service, version)
            yield service.client, rerankers


async def until_served(service: Service, version: str | None) -> None:
    def is_served() -> bool:
        reranker: Reranker = service.app.state.service.reranker
        return (reranker.loaded.version if reranker.loaded else None) == version and reranker.problem is None

    await eventually(is_served)


async def rerank(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/api/v1/rerank", json={"query": QUERY, "documents": DOCUMENTS} | body)


@pytest.mark.asyncio(loop_scope="module")
class TestRerank:
    @pytest.fixture
    def client(self, asked):
        return asked[0]

    @pytest.fixture
    def rerankers(self, asked):
        return asked[1]

    async def test_documents_come_in_the_order_of_the_model(self, client, rerankers):
        answer = (await rerank(client)).json()

        model = CrossEncoder(
            str(rerankers.folder / "cross-1"), device="cpu", activation_fn=nn.Sigmoid(), local_files_only=True
        )
        expected = model.predict([(QUERY, document) for document in DOCUMENTS], show_progress_bar=False)
        assert [result["index"] for result in answer["results"]] == list(np.argsort(-expected))
        scores = [result["relevance_score"] for result in answer["results"]]
        assert np.allclose(scores, sorted(expected, reverse=True), atol=1e-5)
        assert (answer["model"], answer["version"]) == (rerankers.name, "1")
        assert "document" not in answer["results"][0]

    async def test_other_servers_clients_find_it_and_send_documents_as_objects(self, client):
        plain = (await rerank(client)).json()
        body = {"model": plain["model"], "query": QUERY, "top_n": 2, "return_documents": True}
        documents = [{"text": document, "title": "of no account"} for document in DOCUMENTS]

        answer = (await client.post("/v1/rerank", json={**body, "documents": documents})).json()

        assert [result["index"] for result in answer["results"]] == [one["index"] for one in plain["results"][:2]]
        for result in answer["results"]:
            assert result["document"]["text"] == DOCUMENTS[result["index"]]

    @pytest.mark.parametrize(
        ("field", "body"),
        [
            ("body.query", {"query": ""}),
            ("body.query", {"query": " "}),
            ("body.documents", {"documents": []}),
            ("body.documents", {"documents": ["x"] * 21}),
            ("body.documents.1", {"documents": ["good", ""]}),
            ("body.documents.1", {"documents": ["good", "\x00\x1b"]}),
            ("body.documents.1", {"documents": ["good", 3]}),
            ("body.documents.1", {"documents": ["good", {"title": "no text"}]}),
            ("body.documents.0", {"documents": ["x" * 100_001]}),
            ("body.top_n", {"top_n": 0}),
            ("body.top_n", {"top_n": "2"}),
            ("body.other", {"other": 1}),
        ],
    )
    async def test_a_wrong_field_is_named(self, client, field, body):
        answer = await rerank(client, **body)

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field

    async def test_another_model_is_not_found(self, client):
        answer = await rerank(client, model="other")

        assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")

    async def test_info_names_it(self, client, rerankers):
        await eventually(lambda: is_loaded(client))
        reranker = (await client.get("/info")).json()["reranker"]

        assert reranker == {"name": rerankers.name, "version": "1", "problem": None}


class TestPromotion:
    async def test_another_version_is_served_once_it_is_promoted(self, client, service, rerankers):
        second, _ = rerankers.add(2)
        first = (await rerank(client)).json()
        rerankers.promote(second)
        await until_served(service, second)

        answer = (await rerank(client)).json()

        assert (first["version"], answer["version"]) == ("1", "2")
        assert answer["digest"] != first["digest"]

    async def test_none_in_production_is_not_found(self, client, service, rerankers):
        rerankers.withdraw()
        await until_served(service, None)

        answer = await rerank(client)

        assert (answer.status_code, answer.json()["code"]) == (404, "no_reranker")
        assert "register-reranker" in answer.json()["detail"]

    async def test_one_that_is_no_re_ranker_leaves_the_former_one(self, client, service, rerankers):
        with opened(str(write_model(rerankers.folder / "embedder", seed=3)), None) as folder:
            wrong = publish(rerankers.registry, rerankers.name, folder, metadata={}, description="an embedder")
        rerankers.promote(wrong.version.version)
        reranker = service.app.state.service.reranker
        await eventually(lambda: reranker.problem is not None)

        answer = await rerank(client)

        assert (answer.status_code, answer.json()["version"]) == (200, "1")


class TestQueue:
    async def test_more_than_may_wait_is_refused(self, client, service):
        reranker = service.app.state.service.reranker
        async with reranker._turn:
            waiting = asyncio.create_task(rerank(client))
            await eventually(lambda: reranker._waiting == len(DOCUMENTS))

            refused = await rerank(client)

        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await waiting).status_code == 200

    async def test_who_leaves_waits_no_more(self, client, service):
        reranker = service.app.state.service.reranker
        async with reranker._turn:
            work = asyncio.create_task(reranker.score(reranker.get(), QUERY, DOCUMENTS))
            await eventually(lambda: reranker._waiting == len(DOCUMENTS))
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

        assert reranker._waiting == 0
        assert (await rerank(client)).status_code == 200


async def is_loaded(client: httpx.AsyncClient) -> bool:
    return (await client.get("/info")).status_code == 200
