"""Backends of the models that a node has in memory."""

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from services.embedding.encoding import chooser
from services.embedding.settings import EmbeddingSettings
from tests.fixtures.programs import LIBRARIES, python_with
from tests.integration.embedding.changing import index, new_space, ready
from tests.integration.embedding.tiny import Service, serving
from tests.integration.embedding.waiting import eventually

TEXTS = ["a cat on a mat", "shares fell " * 20, "x"]


@pytest.fixture
def chosen(quick: EmbeddingSettings, monkeypatch: pytest.MonkeyPatch) -> EmbeddingSettings:
    """Settings with a backend that is exchanged for the one that every model starts with."""
    monkeypatch.setattr(chooser, "PROGRAM", (*python_with(*LIBRARIES), *chooser.PROGRAM[1:]))
    return quick.model_copy(update={"embedding_backend": "openvino-fp32", "embedding_cache_entries": 0})


async def backends(service: Service) -> list[str]:
    return [model["backend"] for model in (await service.client.get("/api/v1/models")).json()["models"]]


async def have(service: Service, backend: str, models: int) -> None:
    async def all_have() -> bool:
        return await backends(service) == [backend] * models

    await eventually(all_have)


async def embed(service: Service) -> np.ndarray:
    response = await service.client.post("/api/v1/embed", json={"texts": TEXTS})
    assert response.status_code == 200, response.text
    return np.array(response.json()["embeddings"])


class TestChoice:
    async def test_each_model_in_memory_has_its_own_with_the_vectors_of_the_reference(self, chosen, kernel, embedders):
        model = SentenceTransformer(str(embedders.made(1)), device="cpu", local_files_only=True)
        expected = model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)

        async with serving(chosen) as service:
            await ready(service)
            await have(service, "openvino-fp32", 1)
            found = await embed(service)
            text, ids = await both_forms(service)
            await index(kernel, "acme", "1")

            embedders.promote("2")
            await new_space(kernel.database)
            await have(service, "openvino-fp32", 2)

            info = (await service.client.get("/info")).json()
            assert (info["encoder"]["backend"], info["encoder"]["choice"]["complete"]) == ("openvino-fp32", True)

        assert np.allclose(found, expected, atol=1e-3)
        assert np.allclose(text, ids, atol=1e-3)


async def both_forms(service: Service) -> tuple[list[float], list[float]]:
    """Return the vectors of a text and of the ids that the model's tokenizer makes of it."""
    name = service.node.model.name
    vectors = []
    for wanted in ("hello world", [7592, 2088]):
        response = await service.client.post(
            "/v1/embeddings", json={"model": name, "input": wanted, "encoding_format": "float"}
        )
        assert response.status_code == 200, response.text
        vectors.append(response.json()["data"][0]["embedding"])
    return vectors[0], vectors[1]
