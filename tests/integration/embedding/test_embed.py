"""The service with the real model, over HTTP."""

from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from services.embedding.app import create_app
from tests.integration.embedding.waiting import eventually

WRONG = [
    ("body.texts#none", {"texts": []}),
    ("body.texts.1#empty", {"texts": ["good", ""]}),
    ("body.texts.1#blank", {"texts": ["good", " "]}),
    ("body.texts.1#number", {"texts": ["good", 3]}),
    ("body.texts.1#null", {"texts": ["good", None]}),
    ("body.texts#no-list", {"texts": "good"}),
    ("body.texts#missing", {}),
    ("body.texts#many", {"texts": ["x"] * 1025}),
    ("body.texts.0#long", {"texts": ["x" * 100_001]}),
]
"""The field that the answer names, made unique after `#`, and the body."""


@pytest.fixture
async def client(settings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://embedding") as client,
    ):
        await eventually(lambda: is_ready(client))
        yield client


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


async def embed(client: httpx.AsyncClient, **body: object) -> httpx.Response:
    return await client.post("/api/v1/embed", json=body)


class TestEmbed:
    async def test_texts_become_unit_vectors_in_their_order(self, client):
        answer = (await embed(client, texts=["a cat on a mat", "a kitten on a rug", "shares fell"])).json()

        cat, kitten, shares = np.array(answer["embeddings"])
        assert (answer["model"], answer["dimension"], answer["truncated"]) == ("text-embedder", 384, [])
        assert answer["usage"]["tokens"] > 10
        assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-5)
        assert cat @ kitten > cat @ shares

    async def test_a_long_text_is_cut_and_named(self, client):
        answer = (await embed(client, texts=["short", "word " * 600])).json()

        assert answer["truncated"] == [1]

    async def test_a_wrong_text_is_named_by_its_position(self, client):
        answers = {field: await embed(client, **body) for field, body in WRONG}

        assert {answer.status_code for answer in answers.values()} == {422}
        for field, answer in answers.items():
            assert answer.json()["errors"][0]["field"] == field.split("#")[0]

    async def test_an_unknown_model_is_not_found(self, client):
        response = await embed(client, texts=["a"], model="other")

        assert (response.status_code, response.json()["code"]) == (404, "model_not_found")

    async def test_odd_characters_are_embedded(self, client):
        response = await embed(client, texts=["\u0000", "\x1b[31m\x07", "日本語", "🙂" * 400, "\u202e\u200b x"])

        assert response.status_code == 200
        assert np.isfinite(response.json()["embeddings"]).all()


class TestModels:
    async def test_the_model_in_production_is_listed(self, client):
        (model,) = (await client.get("/api/v1/models")).json()["models"]

        assert (model["name"], model["dimension"], model["max_tokens"]) == ("text-embedder", 384, 256)

    async def test_info_names_the_space_of_the_model(self, client):
        info = (await client.get("/info")).json()

        assert info["space_id"] is not None
        assert info["model"]["version"] == info["production_version"]

    async def test_info_tells_how_texts_become_vectors(self, client):
        encoder = (await client.get("/info")).json()["encoder"]

        assert (encoder["backend"], encoder["precision"]) == ("torch-fp32", "fp32")
        assert (encoder["max_tokens"], encoder["truncation"]) == (256, "end")
        assert encoder["choice"]["wanted"] == "torch-fp32"
