"""What is tried, on machines that are only described."""

from pathlib import Path

import pytest

from services.embedding.encoding.machine import Gpu, Machine, this_machine
from services.embedding.encoding.names import ON_GPUS
from services.embedding.encoding.prepare import Preparation
from services.embedding.encoding.selection import ON_PROCESSORS, Selection, obstacle
from services.embedding.encoding.trials import Record, Trial
from tests.unit.embedding import models

PLAIN = Machine(processor="a processor of 2015 ()", bf16=False)
ABLE = Machine(processor="AMD EPYC (avx512_bf16)", bf16=True)
L4 = Gpu(name="NVIDIA L4", bf16=True)
T4 = Gpu(name="Tesla T4", bf16=False)


def selection_on(machine: Machine, **changed: object) -> Selection:
    return Selection(folder=Path("model"), digest="d" * 64, cache=Path("cache"), machine=machine, **changed)


def tried(selection: Selection, *unlike: str) -> Record:
    """Go through all that is to be tried, where what no obstacle forbids serves, but for those unlike fp32."""
    record = Record()
    while (name := selection.next_candidate(record)) is not None:
        refused = obstacle(name, selection.machine) or ("its similarity is too low" if name in unlike else None)
        record = record.add(Trial(backend=name, texts_per_second=1000 if name in ON_GPUS else 100, refused=refused))
    return record


def names(record: Record) -> list[str]:
    return [trial.backend for trial in record.trials]


class TestObstacle:
    @pytest.mark.parametrize("name", ["torch-bf16", "openvino-bf16"])
    def test_bf16_is_refused_where_the_processor_lacks_it(self, name):
        assert obstacle(name, PLAIN) == "the processor has no bf16 instructions"
        assert obstacle(name, ABLE) is None

    @pytest.mark.parametrize("name", ["torch-fp32", "openvino-fp32", "openvino-int8", "onnx-int8"])
    def test_any_processor_has_the_others(self, name):
        assert obstacle(name, PLAIN) is None

    @pytest.mark.parametrize("name", ON_GPUS)
    def test_without_a_gpu_none_of_its_backends_is_tried(self, name):
        assert obstacle(name, ABLE) == "there is no GPU that PyTorch can use"

    def test_bf16_is_refused_where_the_gpu_lacks_it(self):
        old = ABLE.model_copy(update={"gpus": (T4, L4)})

        assert obstacle("torch-cuda-bf16", old) == "the GPU Tesla T4 has no bf16 instructions"
        assert obstacle("torch-cuda-fp16", old) is None
        assert obstacle("torch-cuda-bf16", ABLE.model_copy(update={"gpus": (L4,)})) is None


class TestCandidates:
    def test_a_processor_is_tried_in_every_precision(self):
        assert names(tried(selection_on(ABLE))) == ["torch-fp32", "torch-cuda-bf16", *ON_PROCESSORS]

    def test_beside_a_gpu_with_bf16_nothing_else_is(self):
        record = tried(selection_on(ABLE.model_copy(update={"gpus": (L4,)})))

        assert (names(record), record.choose("auto")) == (["torch-fp32", "torch-cuda-bf16"], "torch-cuda-bf16")

    def test_a_gpu_without_bf16_computes_in_fp16(self):
        record = tried(selection_on(ABLE.model_copy(update={"gpus": (T4,)})))

        assert names(record) == ["torch-fp32", *ON_GPUS]
        assert "no bf16" in record.find("torch-cuda-bf16").refused
        assert record.choose("auto") == "torch-cuda-fp16"

    def test_and_in_fp32_where_fp16_gives_other_vectors(self):
        record = tried(selection_on(ABLE.model_copy(update={"gpus": (T4,)})), "torch-cuda-fp16")

        assert record.choose("auto") == "torch-cuda-fp32"

    def test_a_gpu_that_cannot_compute_the_model_leaves_it_to_the_processor(self):
        record = tried(selection_on(ABLE.model_copy(update={"gpus": (L4,)})), *ON_GPUS)

        assert names(record) == ["torch-fp32", *ON_GPUS, *ON_PROCESSORS]

    def test_a_wanted_precision_of_the_gpu_has_others_in_its_place(self):
        wanted = selection_on(ABLE.model_copy(update={"gpus": (T4,)}), wanted="torch-cuda-bf16")

        assert tried(wanted).choose(wanted.wanted) == "torch-cuda-fp16"
        modern = selection_on(ABLE.model_copy(update={"gpus": (L4,)}), wanted="torch-cuda-fp16")
        assert names(tried(modern)) == ["torch-fp32", "torch-cuda-fp16"]


class TestFinalists:
    def test_are_compared_when_all_is_tried(self):
        selection = selection_on(ABLE)
        record = tried(selection)
        first = Record(trials=record.trials[:4])

        assert selection.finalists(first) == ()
        assert selection.is_open(first)
        assert len(selection.finalists(record)) == 3
        assert selection.is_open(record)

    def test_are_not_compared_again(self):
        selection = selection_on(ABLE)
        record = tried(selection)

        assert not selection.is_open(record.compare(selection.finalists(record), ()))

    def test_are_none_where_a_backend_is_named(self):
        selection = selection_on(ABLE, wanted="openvino-int8")

        assert not selection.is_open(tried(selection))

    def test_are_none_where_a_gpu_stands_out(self):
        selection = selection_on(ABLE.model_copy(update={"gpus": (L4,)}))

        assert not selection.is_open(tried(selection))

    def test_are_a_gpu_and_the_reference_where_a_model_is_so_small_that_both_are_as_fast(self):
        selection = selection_on(ABLE.model_copy(update={"gpus": (L4,)}))
        record = tried(selection).add(Trial(backend="torch-fp32", texts_per_second=900))

        assert selection.finalists(record) == ("torch-cuda-bf16", "torch-fp32")


class TestRun:
    def test_a_backend_that_the_machine_lacks_is_not_computed_with(self, tmp_path):
        folder = models.save(models.pooled(tmp_path / "bert"), tmp_path / "model")
        selection = Selection(
            folder=folder, digest="d" * 64, cache=tmp_path / "cache", wanted="torch-bf16", machine=PLAIN
        )

        Preparation(selection).run()

        record = selection.records().read()
        assert record.find("torch-bf16") == Trial(
            backend="torch-bf16", refused="the processor has no bf16 instructions"
        )
        assert record.choose("torch-bf16") == "torch-fp32"

    def test_a_description_comes_through_to_the_process_that_tries(self):
        selection = selection_on(ABLE.model_copy(update={"gpus": (T4,)}))

        assert Selection.model_validate_json(selection.model_dump_json()) == selection


class TestThisMachine:
    def test_has_a_processor_by_name(self):
        found = this_machine()

        assert found.processor
        assert found.devices == (found.processor, *(gpu.name for gpu in found.gpus))
