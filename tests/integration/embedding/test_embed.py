"""The service with the real model, over HTTP."""

import httpx
import numpy as np
import pytest

from tests.integration.embedding.tiny import Service

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
    ("body.texts.0#huge", {"texts": ["x" * 10_000_000]}),
    ("body.texts.1#control", {"texts": ["good", "\x00\x1b\u200b"]}),
    ("body.dimensions#zero", {"texts": ["good"], "dimensions": 0}),
    ("body.dimensions#long", {"texts": ["good"], "dimensions": 385}),
    ("body.dimensions#text", {"texts": ["good"], "dimensions": "64"}),
    ("body.prompt#long", {"texts": ["good"], "prompt": "x" * 2001}),
    ("body.prompt_name#unknown", {"texts": ["good"], "prompt_name": "other"}),
    ("body.prompt_name#both", {"texts": ["good"], "prompt_name": "other", "prompt": "q: "}),
    ("body.other#unknown", {"texts": ["good"], "other": 1}),
]
"""The field that the answer names, made unique after `#`, and the body."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def client(real_model: Service) -> httpx.AsyncClient:
    return real_model.client


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
        assert answer["tokens"] == [3, 256]

    async def test_shorter_vectors_are_the_first_components_made_unit_vectors(self, client):
        whole = (await embed(client, texts=["a cat"])).json()
        short = (await embed(client, texts=["a cat"], dimensions=64)).json()

        kept = np.array(whole["embeddings"][0][:64])
        assert short["dimension"] == 64
        assert np.allclose(short["embeddings"][0], kept / np.linalg.norm(kept), atol=1e-5)

    async def test_a_prompt_is_read_before_each_text(self, client):
        prompted = (await embed(client, texts=["a cat"], prompt="query: ")).json()
        written = (await embed(client, texts=["query: a cat"])).json()

        assert np.allclose(prompted["embeddings"], written["embeddings"], atol=1e-3)
        assert prompted["tokens"] == written["tokens"]

    @pytest.mark.parametrize("name", ["text-embedder", "text-embedder@production", "text-embedder:{version}"])
    async def test_the_model_has_several_names(self, client, name):
        (model,) = (await client.get("/api/v1/models")).json()["models"]

        response = await embed(client, texts=["a"], model=name.format(version=model["version"]))

        assert response.status_code == 200

    @pytest.mark.parametrize(
        "body", [b"", b"{", b'{"texts": ["\xff"]}', b'{"texts": ["\\ud800"]}', b'{"texts": [NaN]}']
    )
    async def test_what_is_no_json_in_utf_8_is_refused(self, client, body):
        response = await client.post("/api/v1/embed", content=body, headers={"Content-Type": "application/json"})

        assert (response.status_code, response.json()["code"]) == (400, "bad_request")

    async def test_a_body_that_is_too_large_is_refused(self, client):
        response = await embed(client, texts=["x" * 20_000_000])

        assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")

    async def test_a_wrong_text_is_named_by_its_position(self, client):
        answers = {field: await embed(client, **body) for field, body in WRONG}

        assert {answer.status_code for answer in answers.values()} == {422}
        for field, answer in answers.items():
            assert answer.json()["errors"][0]["field"] == field.split("#")[0]

    async def test_an_unknown_model_is_not_found(self, client):
        response = await embed(client, texts=["a"], model="other")

        assert (response.status_code, response.json()["code"]) == (404, "model_not_found")

    async def test_odd_characters_are_embedded(self, client):
        response = await embed(client, texts=["\u0000.", "\x1b[31m\x07", "日本語", "🙂" * 400, "\u202e\u200b x"])

        assert response.status_code == 200
        assert np.isfinite(response.json()["embeddings"]).all()


class TestModels:
    async def test_the_model_in_production_is_listed(self, client):
        (model,) = (await client.get("/api/v1/models")).json()["models"]

        assert (model["name"], model["dimension"], model["max_tokens"]) == ("text-embedder", 384, 256)
        assert "text-embedder@production" in model["names"]

    async def test_info_names_the_space_of_the_model(self, client):
        info = (await client.get("/info")).json()

        assert info["space_id"] is not None
        assert info["model"]["version"] == info["production_version"]

    async def test_info_tells_the_limits_and_what_is_under_way(self, client):
        info = (await client.get("/info")).json()

        assert (info["waiting_texts"], info["cache"]["state"]) == (0, "on")
        assert info["queued_texts"] > info["waiting_texts"]

    async def test_info_tells_how_texts_become_vectors(self, client):
        encoder = (await client.get("/info")).json()["encoder"]

        assert (encoder["backend"], encoder["precision"]) == ("torch-fp32", "fp32")
        assert (encoder["max_tokens"], encoder["truncation"]) == (256, "end")
        assert encoder["choice"]["wanted"] == "torch-fp32"
