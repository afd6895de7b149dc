import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from services.embedding.encoding.backend import Features, OutOfMemory, Vectors
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.samples import sample_texts
from services.embedding.encoding.shapes import ANY
from services.embedding.encoding.tokens import MASK, Tokeniser
from services.embedding.package import DIMENSION
from tests.unit.embedding import models
from tests.unit.embedding.models import MINILM, TEXTS

KINDS: dict[str, Callable[[Path], SentenceTransformer]] = {
    **{
        mode: lambda folder, mode=mode: models.pooled(folder, mode)
        for mode in ("mean", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    },
    "decoder": models.decoder,
    "cut at the start": lambda folder: models.pooled(folder, truncation_side="left"),
    "projected": models.projected,
    "static": lambda _: models.static(),
}


class SmallDevice:
    """Has room for a number of tokens, and makes vectors of token counts."""

    name: BackendName = "torch-cuda-bf16"
    shapes = ANY

    def __init__(self, room: int) -> None:
        self.room = room
        self.done: list[int] = []

    def forward(self, features: Features) -> Vectors:
        if features[MASK].size > self.room:
            raise OutOfMemory("no room")
        self.done.append(features[MASK].size)
        lengths = features[MASK].sum(axis=1, keepdims=True)
        return np.concatenate([lengths, np.ones_like(lengths)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return SentenceTransformer(str(MINILM), device="cpu")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(MINILM, token_budget=300, threads=1)


def with_room(model: SentenceTransformer, room: int, budget: int) -> tuple[Encoder, SmallDevice]:
    device = SmallDevice(room)
    return Encoder(Tokeniser.of(model), device, dimension=2, token_budget=budget), device


def lengths_of(vectors: Vectors) -> list[int]:
    return [round(length) for length in vectors[:, 0]]


class TestEncode:
    @pytest.mark.parametrize("texts", [TEXTS, sample_texts()[:40], sample_texts()[:40][::-1]])
    def test_is_what_sentence_transformers_computes_in_the_order_of_the_texts(self, encoder, model, texts):
        assert np.allclose(encoder.encode(texts), model.encode(texts), atol=1e-5)

    @pytest.mark.parametrize("kind", KINDS)
    def test_any_architecture_gives_what_sentence_transformers_computes(self, kind, tmp_path):
        folder = models.save(KINDS[kind](tmp_path / "bert"), tmp_path / "model")
        texts = [text for text in TEXTS if text or kind != "static"]  # of no token there is no mean
        expected = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)

        loaded = Encoder.load(folder, token_budget=200, threads=1)

        assert np.allclose(loaded.encode(texts), expected, atol=1e-5)

    def test_a_default_prompt_is_put_before_each_text(self, tmp_path):
        model = models.pooled(tmp_path / "bert")
        model.prompts["query"], model.default_prompt_name = "query: ", "query"
        folder = models.save(model, tmp_path / "model")

        assert np.allclose(
            Encoder.load(folder, token_budget=200, threads=1).encode(TEXTS),
            SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True),
            atol=1e-5,
        )

    def test_the_prompts_of_the_model_are_known_by_name(self, tmp_path):
        model = models.pooled(tmp_path / "bert")
        model.prompts = {"query": "query: ", "document": ""}
        folder = models.save(model, tmp_path / "model")

        loaded = Encoder.load(folder, token_budget=200, threads=1)

        assert (loaded.prompts, loaded.default_prompt) == ({"query": "query: "}, "")

    def test_ids_are_below_the_vocabulary(self, encoder, model):
        assert encoder.vocabulary == len(model.tokenizer)

    def test_returns_unit_vectors(self, encoder):
        vectors = encoder.encode(TEXTS)

        assert vectors.shape == (len(TEXTS), DIMENSION)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_batches_do_not_change_the_result(self, encoder):
        together = encoder.encode(TEXTS)
        alone = np.vstack([encoder.encode([text]) for text in TEXTS])

        assert np.allclose(together, alone, atol=1e-5)

    def test_nothing_gives_nothing(self, encoder):
        assert encoder.encode([]).shape == (0, DIMENSION)


class TestTokenise:
    def test_a_long_text_is_cut_and_says_so(self, encoder):
        short, long = encoder.tokenise(["short", "word " * 600])

        assert (short.truncated, long.truncated) == (False, True)
        assert len(long) == encoder.max_tokens

    def test_a_text_of_exactly_the_limit_is_not_cut(self, encoder):
        (exact,) = encoder.tokenise(["word " * (encoder.max_tokens - 2)])

        assert (len(exact), exact.truncated) == (encoder.max_tokens, False)


class TestOutOfMemory:
    def test_a_batch_without_room_is_encoded_in_halves_and_in_order(self, model):
        encoder, device = with_room(model, room=100, budget=16384)
        texts = ["word " * (number % 20 + 1) for number in range(60)]

        vectors = encoder.encode(texts)

        assert lengths_of(vectors) == [number % 20 + 3 for number in range(60)]
        assert max(device.done) <= 100

    def test_later_batches_are_made_to_fit(self, model):
        encoder, device = with_room(model, room=100, budget=16384)
        texts = ["word " * 8] * 100
        encoder.encode(texts)
        device.done.clear()
        attempts = len(encoder.batches(encoder.tokenise(texts)))

        encoder.encode(texts)

        assert encoder.report.batch_tokens <= 100
        assert len(device.done) == attempts

    def test_a_text_that_does_not_fit_alone_fails(self, model):
        encoder, _ = with_room(model, room=10, budget=16384)

        with pytest.raises(OutOfMemory):
            encoder.encode(["word " * 50])

    def test_what_fits_is_encoded_after_a_text_that_did_not(self, model):
        encoder, _ = with_room(model, room=10, budget=16384)
        with pytest.raises(OutOfMemory):
            encoder.encode(["word " * 50])

        assert lengths_of(encoder.encode(["word", "word word"])) == [3, 4]


class TestUse:
    def test_texts_are_encoded_while_the_backend_is_exchanged(self, model):
        encoder, _ = with_room(model, room=10**6, budget=64)
        expected = [number % 9 + 3 for number in range(50)]
        texts: Sequence[str] = ["word " * (number % 9 + 1) for number in range(50)]
        stop, answers = threading.Event(), list[list[int]]()

        def ask() -> None:
            while not stop.is_set():
                answers.append(lengths_of(encoder.encode(texts)))

        caller = threading.Thread(target=ask)
        caller.start()
        for room in range(10**6, 10**6 + 20):
            encoder.use(SmallDevice(room), token_budget=room % 100 + 20)
        stop.set()
        caller.join()

        assert answers
        assert all(answer == expected for answer in answers)

    def test_the_report_names_the_backend_in_use(self, model):
        encoder, _ = with_room(model, room=10**6, budget=64)

        encoder.use(SmallDevice(10**6), token_budget=512)

        report = encoder.report
        assert (report.backend, report.precision, report.batch_tokens) == ("torch-cuda-bf16", "bf16", 512)
        assert (report.max_tokens, report.truncation) == (256, "end")
