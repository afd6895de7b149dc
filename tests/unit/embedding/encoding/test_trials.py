import os
from pathlib import Path

import pytest

from services.embedding.encoding.machine import Gpu, Machine
from services.embedding.encoding.trials import Record, Records, Trial

FAST = Trial(backend="openvino-int8", texts_per_second=300, cosine=0.999)
SLOW = Trial(backend="torch-fp32", texts_per_second=50, cosine=1.0)
HALF = Trial(backend="torch-cuda-fp16", texts_per_second=2000, cosine=0.9999)
WHOLE = Trial(backend="torch-cuda-fp32", texts_per_second=1500, cosine=1.0)
THIRD = Trial(backend="onnx-int8", texts_per_second=250, cosine=0.999)
OLD_GPU = Trial(backend="torch-cuda-bf16", refused="the GPU Tesla T4 has no bf16 instructions")
UNLIKE = Trial(backend="onnx-int8", texts_per_second=900, cosine=0.9, refused="its similarity is too low")


EPYC = Machine(processor="AMD EPYC (avx512_bf16)", bf16=True)
WITH_GPU = EPYC.model_copy(update={"gpus": (Gpu(name="NVIDIA L4", bf16=True),)})


def open_records(folder: Path, **changed: object) -> Records:
    return Records(folder, **{"digest": "a" * 64, "threads": 2, "machine": EPYC, **changed})


@pytest.fixture
def records(tmp_path) -> Records:
    return open_records(tmp_path)


class TestChoose:
    def test_the_fastest_that_may_serve_is_chosen(self):
        assert Record(trials=(SLOW, FAST, UNLIKE)).choose("auto") == "openvino-int8"

    def test_a_wanted_one_is_chosen_although_another_is_faster(self):
        assert Record(trials=(SLOW, FAST)).choose("torch-fp32") == "torch-fp32"

    @pytest.mark.parametrize("wanted", ["onnx-int8", "torch-bf16"])
    def test_the_reference_serves_where_the_wanted_one_may_not_or_was_not_tried(self, wanted):
        assert Record(trials=(SLOW, FAST, UNLIKE)).choose(wanted) == "torch-fp32"

    def test_another_precision_of_the_gpu_serves_where_the_wanted_one_may_not(self):
        tried = Record(trials=(SLOW, OLD_GPU, HALF, WHOLE))

        assert tried.choose("torch-cuda-bf16") == "torch-cuda-fp16"
        assert tried.choose("torch-cuda-fp32") == "torch-cuda-fp32"
        assert Record(trials=(SLOW, OLD_GPU)).choose("torch-cuda-bf16") == "torch-fp32"

    def test_of_two_that_are_about_as_fast_it_is_the_one_with_the_shorter_query(self):
        nearly = FAST.model_copy(update={"backend": "openvino-bf16"}).at(290, 0.9)

        assert Record(trials=(FAST.at(300, 1.8), nearly)).choose("auto") == "openvino-bf16"
        assert Record(trials=(FAST.at(300, 1.8), nearly.at(280, 0.9))).choose("auto") == "openvino-int8"

    def test_after_a_comparison_it_is_one_of_those_that_took_part(self):
        lucky = Trial(backend="openvino-bf16", texts_per_second=290)
        record = Record(trials=(SLOW, FAST, lucky, THIRD)).compare(
            ("openvino-int8", "openvino-bf16"), (FAST.at(200, 1), lucky.at(150, 1))
        )

        assert record.choose("auto") == "openvino-int8"
        assert record.choose("onnx-int8") == "onnx-int8"

    def test_the_reference_serves_while_nothing_is_known(self):
        assert Record().choose("auto") == "torch-fp32"


class TestFinalists:
    def test_are_those_near_the_fastest(self):
        assert Record(trials=(SLOW, THIRD, FAST)).finalists() == ("openvino-int8", "onnx-int8")

    def test_are_three_at_most(self):
        others = [
            Trial(backend=name, texts_per_second=rate)
            for name, rate in [("torch-bf16", 251), ("openvino-bf16", 280), ("openvino-fp32", 249)]
        ]

        assert Record(trials=(THIRD, *others, FAST)).finalists() == ("openvino-int8", "openvino-bf16", "torch-bf16")

    def test_are_none_where_one_stands_out_or_may_serve_alone(self):
        assert Record(trials=(SLOW, FAST, UNLIKE)).finalists() == ()
        assert Record().finalists() == ()

    def test_are_compared_once(self):
        record = Record(trials=(THIRD, FAST))

        assert record.compare(record.finalists(), ()).finalists() == ()

    def test_are_compared_again_with_one_that_came_later(self):
        record = Record(trials=(THIRD, FAST)).compare(("openvino-int8", "onnx-int8"), ())

        later = record.add(Trial(backend="openvino-bf16", texts_per_second=310))

        assert later.finalists() == ("openvino-bf16", "openvino-int8", "onnx-int8")

    def test_are_not_compared_again_for_one_that_may_not_serve(self):
        record = Record(trials=(THIRD, FAST)).compare(("openvino-int8", "onnx-int8"), ())

        assert record.add(OLD_GPU).finalists() == ()


class TestAttempts:
    def test_attempts_at_one_backend_are_counted_until_it_is_through(self):
        second = Record().start("onnx-int8").start("onnx-int8")

        assert (second.attempts, second.add(UNLIKE).attempts) == (2, 0)

    def test_another_backend_starts_at_one(self):
        assert Record().start("onnx-int8").start("torch-bf16").attempts == 1

    def test_an_attempt_that_was_called_off_does_not_count(self):
        assert Record().start("onnx-int8").abandon().start("onnx-int8").attempts == 1

    def test_a_comparison_that_was_called_off_leaves_the_trials(self):
        record = Record(trials=(THIRD, FAST)).start("comparison")

        assert record.abandon() == Record(trials=(THIRD, FAST))


class TestRecords:
    def test_what_was_written_is_there_for_the_next_process(self, records, tmp_path):
        record = Record(trials=(SLOW, FAST, THIRD)).compare(("openvino-int8", "onnx-int8"), (FAST.at(280, 0.8),))
        records.write(record)

        assert open_records(tmp_path).read() == record

    @pytest.mark.parametrize(
        "other",
        [
            {"digest": "b" * 64},
            {"threads": 1},
            {"machine": EPYC.model_copy(update={"processor": "AMD EPYC ()"})},
            {"machine": WITH_GPU},
        ],
    )
    def test_another_model_machine_or_number_of_threads_has_a_record_of_its_own(self, records, tmp_path, other):
        records.write(Record(trials=(SLOW, FAST)))

        assert open_records(tmp_path, **other).read() == Record()

    @pytest.mark.parametrize("names", [[], ["NVIDIA H100"], ["NVIDIA L4", "NVIDIA L4"]])
    def test_a_machine_that_lost_its_gpu_or_got_another_has_a_record_of_its_own(self, tmp_path, names):
        open_records(tmp_path, machine=WITH_GPU).write(Record(trials=(SLOW, HALF)))
        changed = WITH_GPU.model_copy(update={"gpus": tuple(Gpu(name=name, bf16=True) for name in names)})

        assert open_records(tmp_path, machine=changed).read() == Record()
        assert open_records(tmp_path, machine=WITH_GPU).read() == Record(trials=(SLOW, HALF))

    def test_other_versions_of_the_libraries_have_a_record_of_their_own(self, records, tmp_path, monkeypatch):
        records.write(Record(trials=(SLOW, FAST)))
        monkeypatch.setattr("services.embedding.encoding.trials.library_versions", lambda: {"openvino": "0"})

        assert open_records(tmp_path).read() == Record()

    @pytest.mark.parametrize("damage", [b"", b"{", b'{"trials": [{"backend": "unheard of"}]}', b"\xff\xfe"])
    def test_a_damaged_record_counts_as_none(self, records, tmp_path, damage):
        records.write(Record(trials=(SLOW,)))
        (path,) = tmp_path.glob("*.json")
        path.write_bytes(damage)

        assert records.read() == Record()

    def test_a_crash_while_writing_leaves_the_record_as_it_was(self, records, monkeypatch):
        records.write(Record(trials=(SLOW,)))

        def crash(_: int) -> None:
            raise OSError("no space left on device")

        monkeypatch.setattr(os, "fsync", crash)
        with pytest.raises(OSError, match="no space"):
            records.write(Record(trials=(SLOW, FAST)))

        assert records.read() == Record(trials=(SLOW,))
