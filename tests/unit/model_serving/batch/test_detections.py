"""Files of images in which objects are found."""

import json
import shutil
from io import BytesIO

import mlflow
import numpy as np
import pytest
from PIL import Image

from services.model_serving.batch.review.judgement import Judgement, judge
from services.model_serving.batch.scoring.detections import score_detections
from services.model_serving.batch.scoring.files import file_scorer
from services.model_serving.batch.scoring.images import CALL_IMAGES, CALL_VALUES
from services.model_serving.batch.scoring.pipelines import pipeline_of
from services.model_serving.errors import InputsRefused, UnsafeModelError
from tests.unit.model_serving.batch.media import Corner, images, picture, save_program
from tests.unit.model_serving.pipelines import object_detector
from tests.unit.model_serving.saved import load

pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")
ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detections") / "m"
    return load(save_program(folder, Corner(), "object-detection", ["cat", "dog"]))


@pytest.fixture(scope="module")
def pipeline_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline") / "m"
    mlflow.transformers.save_model(object_detector(), folder, pip_requirements=["mlflow"])
    return folder


def score(model, contents, **params):
    return [json.loads(output) for output, _ in score_detections(model, images(*contents), params, lambda: None)]


class TestScoreDetections:
    def test_boxes_are_in_pixels_of_the_original(self, model):
        assert file_scorer(model) is score_detections
        wide, high = score(model, [picture(300, 100, 255), picture(10, 1000, 255)])
        assert wide == {
            "width": 300,
            "height": 100,
            "detections": [{"label": "dog", "confidence": 1.0, "box": [150.0, 50.0, 300.0, 100.0]}],
        }
        assert high["detections"][0]["box"] == [5.0, 500.0, 10.0, 1000.0]

    def test_reviews_understand_the_answer(self, model):
        (answer,) = score(model, [picture(16, 16, 153)], threshold=0.05)
        assert judge(answer) == Judgement(answer["detections"], 0.1)

    def test_a_turned_photograph_is_measured_as_it_is_looked_at(self, model):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        (answer,) = score(model, [picture(300, 100, 255, "JPEG", exif=exif)])
        assert (answer["width"], answer["height"]) == (100, 300)
        assert answer["detections"][0]["box"] == [50.0, 150.0, 100.0, 300.0]

    def test_the_threshold_leaves_out(self, model):
        contents = [picture(16, 16, 51)]
        assert score(model, contents)[0]["detections"] == []
        both = score(model, contents, threshold=0.05)[0]["detections"]
        assert [(one["label"], one["confidence"]) for one in both] == [("dog", 0.2), ("cat", 0.1)]
        assert len(score(model, contents, threshold=0.05, top_k=1)[0]["detections"]) == 1

    def test_a_job_of_an_earlier_release_that_wants_more_than_there_is_gets_that(self, model):
        (answer,) = score(model, [picture(16, 16, 51)], threshold=0.05, top_k=1000)
        assert len(answer["detections"]) == 2

    def test_a_file_that_is_no_image(self, model):
        outcomes = score_detections(model, images(b"nothing", picture(9, 9, 255)), {}, lambda: None)
        assert [output is None for output, _ in outcomes] == [True, False]
        assert json.loads(outcomes[0][1])["code"] == "no_image"


def pictures(sizes, seed=1):
    """Return noise, of which a detector of random weights says something else each time."""
    chance = np.random.default_rng(seed)
    return [encoded(chance.integers(0, 256, (height, width, 3), dtype=np.uint8)) for width, height in sizes]


def encoded(pixels):
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def noted(pipeline_folder):
    """A pipeline as a model that breaks on images of one shade, and how many images were in each of its calls."""
    model, calls = load(pipeline_folder), []

    def note(_module, _positional, tensors):
        calls.append(len(tensors["pixel_values"]))
        if tensors["pixel_values"].flatten(2).std(dim=2).eq(0).any():
            raise RuntimeError

    pipeline_of(model).model.register_forward_pre_hook(note, with_kwargs=True)
    return model, calls


def enlarge(model, **size):
    """Set what a pipeline brings images to."""
    processor = pipeline_of(model).image_processor
    processor.size = type(processor.size)(**size)


def same(found, other):
    """Say whether detections are the same, but for rounding."""
    return all(
        one["label"] == two["label"]
        and one["confidence"] == pytest.approx(two["confidence"], abs=1e-5)
        and one["box"] == pytest.approx(two["box"], abs=0.02)
        for one, two in zip(found["detections"], other["detections"], strict=True)
    )


class TestBatches:
    def test_images_of_one_shape_go_in_together_and_are_answered_as_alone(self, noted):
        model, calls = noted
        enlarge(model, shortest_edge=64, longest_edge=320)
        sizes = [(40, 20), (20, 40), (80, 40), (40, 20), (60, 60)]  # three of them are twice as wide as high
        contents = pictures(sizes)
        together = score(model, contents, threshold=0)
        assert sorted(calls) == [1, 1, 3]
        alone = [score(model, [content], threshold=0)[0] for content in contents]
        assert calls[3:] == [1] * 5
        assert [(one["width"], one["height"]) for one in together] == sizes
        assert all(map(same, together, alone))
        assert not same(together[0], together[3])

    def test_a_call_has_so_many_numbers_at_most_however_small_the_files(self, noted):
        model, calls = noted
        enlarge(model, height=512, width=512)
        assert len(score(model, pictures([(8, 8)] * 8))) == 8
        values = 4 * 512 * 512 + 2  # three channels, a mask and the size of the original
        assert CALL_VALUES // values == 3
        assert calls == [3, 3, 2]

    def test_an_image_that_is_too_much_for_a_call_has_its_own(self, noted):
        model, calls = noted
        enlarge(model, shortest_edge=32, longest_edge=40_000)
        assert len(score(model, pictures([(8, 8), (9, 9), (8192, 8), (8, 8)]))) == 4
        assert calls == [2, 1, 1]

    def test_a_call_has_so_many_images_at_most(self, noted):
        model, calls = noted
        assert len(score(model, pictures([(8, 8)]) * (CALL_IMAGES + 2))) == CALL_IMAGES + 2
        assert calls == [CALL_IMAGES, 2]

    def test_one_that_breaks_the_model_leaves_the_others(self, noted):
        model, _ = noted
        contents = [*pictures([(32, 32)] * 3), picture(32, 32, 77), *pictures([(32, 32)] * 2)]
        outcomes = score_detections(model, images(*contents), {}, lambda: None)
        assert [output is None for output, _ in outcomes] == [False] * 3 + [True] + [False] * 2
        assert json.loads(outcomes[3][1])["code"] == "model_failed"

    def test_one_that_cannot_be_prepared_leaves_the_others(self, noted):
        model, calls = noted
        enlarge(model, shortest_edge=64, longest_edge=320)
        outcomes = score_detections(model, images(*pictures([(9, 9), (3000, 1), (9, 9)])), {}, lambda: None)
        assert [output is None for output, _ in outcomes] == [False, True, False]
        assert json.loads(outcomes[1][1])["code"] == "model_failed"
        assert calls == [2]


class TestPipeline:
    def test_boxes_are_in_pixels_of_the_original(self, pipeline_folder):
        model = load(pipeline_folder)
        assert file_scorer(model) is score_detections
        (answer,) = score(model, [picture(400, 100, 90)], threshold=0)
        assert (answer["width"], answer["height"]) == (400, 100)
        assert 1 <= len(answer["detections"]) <= 4
        for one in answer["detections"]:
            left, top, right, bottom = one["box"]
            assert -400 <= left < right <= 800
            assert -100 <= top < bottom <= 200
            assert one["label"] in {"cat", "dog"}
        assert max(one["box"][2] for one in answer["detections"]) > 100

    def test_rows_are_refused(self, pipeline_folder):
        with pytest.raises(InputsRefused, match="batch job"):
            load(pipeline_folder).score([[1.0]], {})

    def test_code_from_elsewhere(self, pipeline_folder, tmp_path):
        folder = shutil.copytree(pipeline_folder, tmp_path / "m")
        (configuration,) = folder.glob("model/config.json")
        content = json.loads(configuration.read_text())
        content["auto_map"] = {"AutoModelForObjectDetection": "somebody/elsewhere--modeling.Detector"}
        configuration.write_text(json.dumps(content))
        with pytest.raises(UnsafeModelError, match="trust_remote_code"):
            load(folder)
