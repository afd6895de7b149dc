"""The OpenAI protocol, as OpenAI's own client speaks it."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import numpy as np
import openai
import pytest
from fastapi import FastAPI
from openai import AsyncOpenAI

from mlplatform.auth import Role, mint_token
from mlplatform.auth.issuer import KeyIssuer
from mlplatform.database import Database
from services.embedding.settings import EmbeddingSettings
from tests.fixtures.database import DatabaseUrls
from tests.integration.embedding.running import Running, serve
from tests.integration.embedding.tiny import Service
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding.encoders import HeldEncoder, WordEncoder

MODEL = "text-embedder"
BASE = "http://embedding/v1"
HOUR = timedelta(hours=1)
PEPPER = "pepper-of-this-test-with-32-bytes-or-more"


def client_of(app: FastAPI, key: str | None = None) -> AsyncOpenAI:
    """Return OpenAI's client, with a key or with a token of this machine; it has to have one or the other."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return AsyncOpenAI(
        api_key=key or mint_token(EmbeddingSettings(), subject="test", tenant="default", roles=[Role.USER], ttl=HOUR),
        base_url=BASE,
        http_client=httpx2.AsyncClient(transport=transport),
        max_retries=0,
    )


@pytest.fixture
def real(real_model: Service, module_settings: EmbeddingSettings) -> AsyncOpenAI:
    """A client of the service with the real model."""
    token = mint_token(module_settings, subject="test", tenant="default", roles=[Role.USER], ttl=HOUR)
    return client_of(real_model.app, token)


@pytest.fixture
async def running(settings: EmbeddingSettings) -> AsyncIterator[Running]:
    """The service without a model."""
    async with serve(settings, WordEncoder()) as running:
        yield running


@pytest.fixture
def client(running: Running) -> AsyncOpenAI:
    return client_of(running.app)


@pytest.mark.asyncio(loop_scope="module")
class TestRealModel:
    async def test_a_list_of_texts(self, real):
        answer = await real.embeddings.create(model=MODEL, input=["a cat on a mat", "a kitten on a rug", "shares fell"])

        cat, kitten, shares = (np.array(item.embedding) for item in answer.data)
        assert [item.index for item in answer.data] == [0, 1, 2]
        assert np.linalg.norm(cat) == pytest.approx(1, abs=1e-5)
        assert cat @ kitten > cat @ shares
        assert answer.usage.prompt_tokens == answer.usage.total_tokens > 10

    async def test_token_ids_give_the_vector_of_their_text(self, real):
        text = await real.embeddings.create(model=MODEL, input="hello world")
        ids = await real.embeddings.create(model=MODEL, input=[[7592, 2088], [101, 7592, 2088, 102]])

        for item in ids.data:
            assert np.allclose(item.embedding, text.data[0].embedding, atol=1e-3)
        assert ids.usage.prompt_tokens == 2 * text.usage.prompt_tokens

    async def test_a_long_text_is_cut_and_says_so(self, real):
        answer = await real.embeddings.create(model=MODEL, input=["short", "word " * 600])

        assert [getattr(item, "truncated", False) for item in answer.data] == [False, True]

    async def test_ids_beyond_the_vocabulary_are_refused(self, real):
        with pytest.raises(openai.BadRequestError) as refusal:
            await real.embeddings.create(model=MODEL, input=[[100_257]])

        assert "tokenizer" in refusal.value.message
        assert refusal.value.param == "input"


class TestEmbeddings:
    async def test_one_text(self, client):
        answer = await client.embeddings.create(model=MODEL, input="yield curve")

        assert (answer.object, answer.model, answer.data[0].object) == ("list", MODEL, "embedding")
        assert np.allclose(answer.data[0].embedding, WordEncoder().encode(["yield curve"])[0], atol=1e-6)
        assert answer.usage.prompt_tokens == 2

    async def test_both_encodings_hold_the_same_numbers(self, client):
        as_float = await client.embeddings.create(model=MODEL, input="yield curve", encoding_format="float")
        raw = await client.embeddings.with_raw_response.create(
            model=MODEL, input="yield curve", encoding_format="base64"
        )
        as_text = raw.http_response.json()["data"][0]["embedding"]

        assert isinstance(as_text, str)
        decoded = np.frombuffer(b64decode(as_text), "<f4")
        assert np.allclose(decoded, as_float.data[0].embedding, atol=1e-7)

    async def test_dimensions_shorten_the_vectors(self, client):
        whole = await client.embeddings.create(model=MODEL, input="yield curve")
        short = await client.embeddings.create(model=MODEL, input="yield curve", dimensions=300)

        kept = np.array(whole.data[0].embedding[:300])
        assert np.allclose(short.data[0].embedding, kept / np.linalg.norm(kept), atol=1e-6)

    async def test_a_list_of_ids_is_one_text(self, client):
        answer = await client.embeddings.create(model=MODEL, input=[7, 8, 9])

        assert len(answer.data) == 1
        assert answer.usage.prompt_tokens == 3

    async def test_the_user_s_name_is_taken(self, client):
        assert (await client.embeddings.create(model=MODEL, input="a", user="someone")).data


class TestModels:
    async def test_the_names_of_the_model_are_listed(self, client):
        assert [model.id async for model in client.models.list()] == [
            MODEL,
            f"{MODEL}:3",
            f"{MODEL}@production",
        ]

    async def test_each_listed_name_works(self, client):
        async for model in client.models.list():
            assert (await client.models.retrieve(model.id)).id == model.id
            assert (await client.embeddings.create(model=model.id, input="a")).model == model.id

    async def test_the_operator_can_add_a_name(self, settings):
        named = settings.model_copy(update={"embedding_model_names": ("text-embedding-3-small",)})
        async with serve(named, WordEncoder()) as running:
            answer = await client_of(running.app).embeddings.create(model="text-embedding-3-small", input="a")

        assert answer.model == "text-embedding-3-small"

    async def test_another_name_is_not_found(self, client):
        with pytest.raises(openai.NotFoundError) as of_embeddings:
            await client.embeddings.create(model="other", input="a")
        with pytest.raises(openai.NotFoundError) as of_models:
            await client.models.retrieve("other")

        assert (of_embeddings.value.code, of_models.value.code) == ("model_not_found", "model_not_found")


class TestBadInput:
    @pytest.mark.parametrize(
        "wrong",
        ["", " ", "\t\n", "\x00\x1b", "\u200b", [], ["good", ""], ["good", " "], [[]], [[-1]], ["x"] * 1025],
        ids=lambda wrong: repr(wrong)[:20],
    )
    async def test_a_wrong_input_is_the_caller_s_fault(self, client, wrong):
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.embeddings.create(model=MODEL, input=wrong)

        assert (refusal.value.type, refusal.value.param) == ("invalid_request_error", "input")

    async def test_a_text_of_ten_megabytes_is_refused_by_its_length(self, client):
        with pytest.raises(openai.BadRequestError, match="at most 100000"):
            await client.embeddings.create(model=MODEL, input="x" * 10_000_000)

    async def test_a_body_that_is_too_large_is_refused(self, client):
        with pytest.raises(openai.APIStatusError) as refusal:
            await client.embeddings.create(model=MODEL, input="x" * 20_000_000)

        assert (refusal.value.status_code, refusal.value.code) == (413, "payload_too_large")

    @pytest.mark.parametrize("dimensions", [0, -1, 385])
    async def test_vectors_longer_than_the_model_s_are_refused(self, client, dimensions):
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.embeddings.create(model=MODEL, input="a", dimensions=dimensions)

        assert refusal.value.param == "dimensions"

    async def test_an_unknown_argument_is_named(self, client):
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.embeddings.create(model=MODEL, input="a", extra_body={"prompt": "query: "})

        assert refusal.value.param == "prompt"

    @pytest.mark.parametrize("body", [b"", b"{", b'{"input": "\xff"}', b'{"input": "\\ud800"}', b"[]"])
    async def test_what_is_no_json_in_utf_8_is_refused(self, running, body):
        response = await running.client.post(
            "/v1/embeddings", content=body, headers={"Content-Type": "application/json"}
        )

        assert response.status_code == 400
        assert response.json()["error"]["type"] == "invalid_request_error"

    async def test_another_content_type_is_refused_in_the_protocol_s_form(self, running):
        response = await running.client.post("/v1/embeddings", content=b"input=a")

        assert response.status_code == 415
        assert response.json()["error"]["type"] == "invalid_request_error"


class TestFailures:
    async def test_a_full_queue_says_when_to_come_back(self, settings):
        encoder = HeldEncoder()
        async with serve(settings.model_copy(update={"embedding_queued_texts": 1}), encoder) as running:
            client = client_of(running.app)
            first = asyncio.create_task(client.embeddings.create(model=MODEL, input="first"))
            await eventually(encoder.started.is_set)
            with pytest.raises(openai.RateLimitError) as refusal:
                await client.embeddings.create(model=MODEL, input="second")
            encoder.gate.set()
            await first

        assert refusal.value.code == "queue_full"
        assert int(refusal.value.response.headers["Retry-After"]) >= 1

    async def test_a_client_that_retries_gets_its_answer_once_there_is_room(self, settings):
        encoder = HeldEncoder()
        async with serve(settings.model_copy(update={"embedding_queued_texts": 1}), encoder) as running:
            client = client_of(running.app)
            before = await refusals(running)

            async def was_refused() -> bool:
                return await refusals(running) > before

            first = asyncio.create_task(client.embeddings.create(model=MODEL, input="first"))
            await eventually(encoder.started.is_set)
            second = asyncio.create_task(
                client.with_options(max_retries=3).embeddings.create(model=MODEL, input="second")
            )
            await eventually(was_refused)
            encoder.gate.set()

            assert (await second).data
            await first

    async def test_a_fault_of_the_model_is_ours(self, client):
        with pytest.raises(openai.InternalServerError) as failure:
            await client.embeddings.create(model=MODEL, input="poison")

        assert failure.value.type == "server_error"

    async def test_a_vector_without_numbers_is_not_an_answer(self, client):
        with pytest.raises(openai.InternalServerError):
            await client.embeddings.create(model=MODEL, input="infinite")


class TestCredentials:
    @pytest.fixture
    def secured(self, settings: EmbeddingSettings) -> EmbeddingSettings:
        return settings.model_copy(update={"auth_enabled": True, "api_key_pepper": type(settings.redis_url)(PEPPER)})

    async def test_the_platform_s_key_is_the_client_s_key(self, secured, database_urls: DatabaseUrls):
        owner = Database(database_urls.owner)
        await owner.open()
        issued = await KeyIssuer(secured, owner).create(
            name="client", tenant="acme", roles=[Role.USER], ttl=None, actor="operator:test"
        )
        await owner.close()
        async with serve(secured, WordEncoder()) as running:
            answer = await client_of(running.app, issued.text).embeddings.create(model=MODEL, input="a")

        assert answer.data

    @pytest.mark.parametrize("key", ["sk-unknown", "mlk_x.y"])
    async def test_another_key_is_refused(self, secured, key):
        async with serve(secured, WordEncoder()) as running:
            with pytest.raises(openai.AuthenticationError) as refusal:
                await client_of(running.app, key).embeddings.create(model=MODEL, input="a")

        assert refusal.value.response.headers["WWW-Authenticate"].startswith("Bearer")


async def refusals(running: Running) -> float:
    lines = (await running.client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("ml_embedding_refused_total{"))
