"""A GPU; where there is none, one that runs out of memory, by the error that PyTorch raises then."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Module

from services.embedding.encoding.backend import OutOfMemory
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.machine import this_machine
from services.embedding.encoding.names import ON_GPUS
from services.embedding.encoding.selection import obstacle
from services.embedding.encoding.tokens import Tokeniser
from services.embedding.encoding.torch_backend import TorchBackend
from tests.unit.embedding import models

ROOM = 60


class Hungry(Module):
    """Passes on what it gets, while it is small."""

    def forward(self, features: dict[str, torch.Tensor], **_: object) -> dict[str, torch.Tensor]:
        if features["input_ids"].numel() > ROOM:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return features

    def save(self, *_: object, **__: object) -> None:
        """Nothing is saved."""


@pytest.fixture
def model(tmp_path) -> SentenceTransformer:
    plain = models.pooled(tmp_path / "bert")
    return SentenceTransformer(modules=[*plain, Hungry()], device="cpu")


class TestForward:
    def test_a_device_without_memory_is_told_from_other_faults(self, model):
        tokeniser = Tokeniser.of(model)
        backend = TorchBackend(model, "torch-fp32")

        with pytest.raises(OutOfMemory, match="CUDA out of memory"):
            backend.forward(tokeniser.pad(tokeniser(["word " * 20] * 5)))

    def test_an_encoder_gets_through_on_it(self, model):
        tokeniser = Tokeniser.of(model)
        encoder = Encoder(tokeniser, TorchBackend(model, "torch-fp32"), dimension=models.WIDTH, token_budget=1000)

        assert encoder.encode(["word " * 5] * 50).shape == (50, models.WIDTH)
        assert encoder.report.batch_tokens <= ROOM


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that PyTorch can use")
class TestGpu:
    @pytest.mark.parametrize("name", ON_GPUS)
    def test_each_precision_that_it_has_is_like_the_processor_s(self, tmp_path, name):
        if (reason := obstacle(name, this_machine())) is not None:
            pytest.skip(reason)
        tokeniser = Tokeniser.of(models.pooled(tmp_path / "bert"))
        features = tokeniser.pad(tokeniser(models.TEXTS[:3]))
        expected = TorchBackend(models.pooled(tmp_path / "cpu"), "torch-fp32").forward(features)

        found = TorchBackend(models.pooled(tmp_path / "gpu"), name).forward(features)

        assert np.sum(found * expected, axis=1).min() > 0.99
