"""Prompts that a model was trained with, before queries and before items."""

from collections.abc import Mapping

import numpy as np
import pytest

from mlplatform.events import running
from services.embedding.batcher import Batcher
from services.embedding.indexing.encoding import encode
from tests.integration.embedding.running import serve
from tests.unit.embedding.encoders import POISON, WordEncoder


class PromptedEncoder(WordEncoder):
    """A model with a prompt of each kind, each a word of its own."""

    prompts: Mapping[str, str] = {"query": "asked: ", "passage": "written: "}


class TestInputType:
    @pytest.mark.parametrize(("kind", "prompt"), [("query", "asked: "), ("document", "written: ")])
    async def test_the_models_prompt_is_read(self, settings, kind, prompt):
        async with serve(settings, PromptedEncoder()) as running_service:
            typed = await running_service.client.post("/api/v1/embed", json={"texts": ["a cat"], "input_type": kind})
            named = await running_service.client.post("/api/v1/embed", json={"texts": ["a cat"], "prompt": prompt})
            bare = await running_service.client.post("/api/v1/embed", json={"texts": ["a cat"]})

        assert typed.json()["embeddings"] == named.json()["embeddings"] != bare.json()["embeddings"]

    async def test_a_model_without_one_reads_the_text_alone(self, settings):
        async with serve(settings, WordEncoder()) as running_service:
            body = {"texts": ["a cat"], "input_type": "document"}
            typed = await running_service.client.post("/api/v1/embed", json=body)
            bare = await running_service.client.post("/api/v1/embed", json={"texts": ["a cat"]})

        assert typed.json()["embeddings"] == bare.json()["embeddings"]

    @pytest.mark.parametrize("more", [{"prompt": "a: "}, {"prompt_name": "query"}])
    async def test_there_is_one_prompt(self, settings, more):
        async with serve(settings, PromptedEncoder()) as running_service:
            body = {"texts": ["a cat"], "input_type": "query", **more}
            answer = await running_service.client.post("/api/v1/embed", json=body)

        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.input_type")


class TestItems:
    async def test_the_prompt_of_documents_is_read_before_items(self):
        batcher = Batcher(PromptedEncoder(), max_queued_texts=100)
        async with running(batcher, "encoder"):
            outcome = await encode(batcher, ["a cat", POISON, "a dog"])

        expected = PromptedEncoder().encode(["written: a cat", "written: a dog"])
        assert np.allclose(outcome.vectors[[0, 2]], expected)
        assert set(outcome.reasons) == {1}

    async def test_it_takes_the_place_of_the_one_that_every_text_has(self):
        class Both(PromptedEncoder):
            default_prompt = "always: "

        batcher = Batcher(Both(), max_queued_texts=100)
        async with running(batcher, "encoder"):
            outcome = await encode(batcher, ["a cat"])

        assert np.allclose(outcome.vectors, PromptedEncoder().encode(["written: a cat"]))
