"""The libraries that compute, on small models."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.machine import Gpu, Machine
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.opening import make_export, open_backend, trial_texts
from services.embedding.encoding.prepare import Preparation
from services.embedding.encoding.selection import Selection
from services.embedding.encoding.torch_backend import DEVICES
from services.embedding.encoding.trials import Record, Trial
from tests.unit.embedding import models
from tests.unit.embedding.encoding.test_encoder import KINDS
from tests.unit.embedding.models import TEXTS

EXACT: list[BackendName] = ["openvino-fp32"]
INT8: list[BackendName] = ["openvino-int8", "onnx-int8"]
GRAPH_KINDS = [kind for kind in KINDS if kind not in {"static", "decoder"}]


def selection_of(model: SentenceTransformer, tmp_path: Path, **changes: object) -> Selection:
    folder = models.save(model, tmp_path / "model")
    return Selection(folder=folder, digest="d" * 64, cache=tmp_path / "cache", threads=1, **changes)


@pytest.fixture
def selection(tmp_path) -> Selection:
    return selection_of(models.projected(tmp_path / "bert"), tmp_path)


def rescale_words(model: SentenceTransformer, factor: float, *words: str) -> SentenceTransformer:
    """Multiply the weights of some words, and return the model."""
    weights = model[0].auto_model.embeddings.word_embeddings.weight
    with torch.no_grad():
        weights[model.tokenizer.convert_tokens_to_ids(list(words))] *= factor
    return model


def encode(selection: Selection, name: BackendName, texts: list[str]) -> np.ndarray:
    encoder = Encoder.load(selection.folder, token_budget=200, threads=1)
    encoder.use(open_backend(name, selection, selection.exports()), token_budget=200)
    return encoder.encode(texts)


def expected(selection: Selection, texts: list[str]) -> np.ndarray:
    return SentenceTransformer(str(selection.folder), device="cpu").encode(texts, normalize_embeddings=True)


class TestBackends:
    @pytest.mark.parametrize("kind", GRAPH_KINDS)
    @pytest.mark.parametrize("name", EXACT)
    def test_any_architecture_gives_what_sentence_transformers_computes(self, kind, name, tmp_path):
        selection = selection_of(KINDS[kind](tmp_path / "bert"), tmp_path)
        make_export(name, selection, selection.exports())

        assert np.allclose(encode(selection, name, TEXTS), expected(selection, TEXTS), atol=1e-4)

    def test_a_text_of_the_default_model_has_one_vector_alone_and_among_others(self, tmp_path):
        selection = Selection(folder=models.MINILM, digest="d" * 64, cache=tmp_path / "cache", threads=1)
        make_export("openvino-int8", selection, selection.exports())
        encoder = Encoder.load(selection.folder, token_budget=2000, threads=1)
        encoder.use(open_backend("openvino-int8", selection, selection.exports()), token_budget=2000)
        words = " ".join(trial_texts()).split()
        texts = [" ".join(words[start : start + length]) for length in (2, 5, 11, 19, 26, 40) for start in (0, 9, 18)]

        alone = np.concatenate([encoder.encode([text]) for text in texts])

        assert np.sum(alone * encoder.encode(texts), axis=1).min() > 0.9999
        assert np.sum(alone[:3] * encoder.encode(texts[:3]), axis=1).min() > 0.9999

    @pytest.mark.parametrize("name", INT8)
    def test_int8_is_near(self, name, selection):
        make_export(name, selection, selection.exports())
        texts = trial_texts()

        cosines = np.sum(encode(selection, name, texts) * expected(selection, texts), axis=1)

        assert cosines.mean() > 0.99


class TestRun:
    def test_every_backend_is_measured_or_has_a_reason(self, selection):
        Preparation(selection).run()

        record = selection.records().read()
        assert {trial.backend for trial in record.trials} == set(selection.candidates())
        for trial in record.trials:
            assert trial.refused or (trial.texts_per_second and trial.query_milliseconds and trial.cosine > 0.995)
        assert record.find("torch-fp32").refused is None
        assert not selection.is_open(record)

    def test_what_was_measured_is_not_measured_again(self, selection):
        wanted = selection.model_copy(update={"wanted": "openvino-fp32"})
        Preparation(wanted).run()
        first = wanted.records().read()

        Preparation(wanted).run()

        assert wanted.records().read() == first

    def test_only_a_wanted_backend_is_tried(self, selection):
        wanted = selection.model_copy(update={"wanted": "openvino-fp32"})

        Preparation(wanted).run()

        assert [trial.backend for trial in wanted.records().read().trials] == ["torch-fp32", "openvino-fp32"]

    def test_each_attempt_is_on_disk_before_it_begins(self, selection):
        wanted = selection.model_copy(update={"wanted": "openvino-fp32"})
        begun: list[tuple[str | None, int]] = []

        def note() -> None:
            record = wanted.records().read()
            begun.append((record.trying, record.attempts))

        Preparation(wanted, note).run()

        assert begun == [("torch-fp32", 1), ("openvino-fp32", 1), (None, 0)]

    def test_a_damaged_export_is_made_anew(self, selection):
        wanted = selection.model_copy(update={"wanted": "openvino-fp32"})
        Preparation(wanted).run()
        for file in selection.cache.rglob("*.onnx"):
            file.write_bytes(b"damaged")

        Preparation(wanted).run()

        assert np.allclose(encode(wanted, "openvino-fp32", TEXTS), expected(wanted, TEXTS), atol=1e-4)

    def test_vectors_unlike_those_of_fp32_are_refused(self, selection, tmp_path):
        other = models.pooled(tmp_path / "other bert", "cls")
        wrong = selection.model_copy(update={"folder": models.save(other, tmp_path / "other"), "wanted": "onnx-int8"})
        make_export("onnx-int8", wrong, wrong.exports())  # under the digest of the right one
        right = selection_of(models.pooled(tmp_path / "bert"), tmp_path, wanted="onnx-int8")

        Preparation(right).run()

        trial = right.records().read().find("onnx-int8")
        assert "similarity" in trial.refused
        assert right.records().read().choose("onnx-int8") == "torch-fp32"

    def test_one_text_that_is_unlike_is_enough(self, tmp_path):
        healthy = models.pooled(tmp_path / "bert")
        right = selection_of(healthy, tmp_path, wanted="openvino-fp32")
        broken = rescale_words(models.pooled(tmp_path / "bert"), -1.0, "central", "bank", "raises", "interest", "rates")
        wrong = right.model_copy(update={"folder": models.save(broken, tmp_path / "broken")})
        make_export("openvino-fp32", wrong, wrong.exports())  # under the digest of the right one

        Preparation(right).run()

        trial = right.records().read().find("openvino-fp32")
        assert trial.cosine > 0.995
        assert trial.lowest_cosine < 0.9
        assert f"{trial.lowest_cosine:.4f} for one text" in trial.refused

    def test_half_precision_is_refused_where_it_overflows(self, tmp_path, monkeypatch):
        for name in ("fp16", "fp32"):  # in the precision of the GPU, on the processor
            monkeypatch.setitem(DEVICES, f"torch-cuda-{name}", ("cpu", getattr(torch, f"float{name[2:]}")))
        old = Machine(processor="a processor", bf16=False, gpus=(Gpu(name="Tesla T4", bf16=False),))
        wanted = {"wanted": "torch-cuda-fp16", "machine": old}
        sound = selection_of(models.pooled(tmp_path / "bert"), tmp_path, **wanted)
        loud = rescale_words(models.pooled(tmp_path / "bert"), 1e7, "basil")
        overflowing = selection_of(loud, tmp_path / "loud", **wanted)

        Preparation(sound).run()
        Preparation(overflowing).run()

        assert sound.records().read().choose("torch-cuda-fp16") == "torch-cuda-fp16"
        record = overflowing.records().read()
        assert record.find("torch-cuda-fp16").refused == "the values of 1 of 57 vectors are no numbers"
        assert record.choose("torch-cuda-fp16") == "torch-cuda-fp32"

    def test_a_backend_that_ended_the_process_twice_is_not_tried_again(self, selection):
        wanted = selection.model_copy(update={"wanted": "openvino-fp32"})
        tried = Record(trials=(Trial(backend="torch-fp32", texts_per_second=1),))
        wanted.records().write(tried.start("openvino-fp32").start("openvino-fp32"))

        Preparation(wanted).run()

        assert "ended the process" in wanted.records().read().find("openvino-fp32").refused

    def test_a_comparison_that_ended_the_process_twice_leaves_it_to_what_each_did_alone(self, selection):
        refused = (Trial(backend=name, refused="not here") for name in selection.candidates())
        tried = Record(trials=tuple(refused))
        for name, rate in [("torch-fp32", 100), ("openvino-fp32", 120)]:
            tried = tried.add(Trial(backend=name, texts_per_second=rate))
        selection.records().write(tried.start("comparison").start("comparison"))

        Preparation(selection).run()

        record = selection.records().read()
        assert record.trials == tried.trials
        assert (record.compared, record.choose("auto")) == (("openvino-fp32", "torch-fp32"), "openvino-fp32")

    def test_those_near_the_fastest_are_measured_in_turns(self, selection):
        refused = (Trial(backend=name, refused="not here") for name in selection.candidates())
        tried = Record(trials=tuple(refused))
        for name in ("torch-fp32", "openvino-fp32"):
            tried = tried.add(Trial(backend=name, texts_per_second=1e9, cosine=1.0))
        selection.records().write(tried)

        Preparation(selection).run()

        record = selection.records().read()
        assert sorted(record.compared) == ["openvino-fp32", "torch-fp32"]
        for name in record.compared:
            trial = record.find(name)
            assert 0 < trial.texts_per_second < 1e8
            assert (trial.cosine, trial.refused) == (1.0, None)
            assert trial.query_milliseconds > 0

    def test_what_cannot_be_opened_any_more_is_refused(self, tmp_path):
        selection = selection_of(models.static(), tmp_path)
        refused = (Trial(backend=name, refused="not here") for name in selection.candidates())
        tried = Record(trials=tuple(refused)).add(Trial(backend="torch-fp32", texts_per_second=100))
        # As if its graph had held the model once.
        selection.records().write(tried.add(Trial(backend="openvino-fp32", texts_per_second=120)))

        Preparation(selection).run()

        record = selection.records().read()
        assert "StaticEmbedding" in record.find("openvino-fp32").refused
        assert (record.compared, record.choose("auto")) == ((), "torch-fp32")

    def test_a_model_that_no_graph_can_hold_stays_with_pytorch(self, tmp_path):
        selection = selection_of(models.static(), tmp_path, wanted="openvino-fp32")

        Preparation(selection).run()

        assert "StaticEmbedding" in selection.records().read().find("openvino-fp32").refused
