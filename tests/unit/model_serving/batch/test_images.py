"""Files of images, classified."""

import json
from base64 import b64encode
from io import BytesIO

import mlflow
import pytest
from PIL import Image

from services.model_serving.batch.scoring.files import file_scorer
from services.model_serving.batch.scoring.images import CALL_IMAGES, score_images
from services.model_serving.errors import InputsRefused, InvalidInputs, LoadError
from tests.unit.model_serving.batch.media import Brightness, images, picture, save_program
from tests.unit.model_serving.pipelines import image_classifier
from tests.unit.model_serving.saved import load

pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")


def bomb():
    stream = BytesIO()
    Image.new("1", (8001, 8001)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline") / "m"
    mlflow.transformers.save_model(image_classifier(), folder, pip_requirements=["mlflow"])
    return load(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images") / "m"
    return load(save_program(folder, Brightness(), "image-classification", ["dark", "bright"]))


def nothing():
    pass


def outputs(outcomes):
    return [json.loads(output) for output, error in outcomes if error is None]


class TestScoreImages:
    def test_the_likeliest_classes_first(self, model):
        assert file_scorer(model) is score_images
        (answer,) = outputs(score_images(model, images(picture(30, 20, 204)), {}, nothing))
        assert answer == {
            "label": "bright",
            "confidence": 0.8,
            "top": [{"label": "bright", "probability": 0.8}, {"label": "dark", "probability": 0.2}],
        }

    def test_top_k_and_threshold(self, model):
        files = images(picture(9, 9, 255), picture(9, 9, 140))
        sure, unsure = outputs(score_images(model, files, {"top_k": 1, "threshold": 0.9}, nothing))
        assert (sure["certain"], unsure["certain"]) == (True, False)
        assert [len(answer["top"]) for answer in (sure, unsure)] == [1, 1]

    def test_each_answer_belongs_to_its_file(self, model):
        shades = [number % 256 for number in range(2 * CALL_IMAGES + 3)]
        contents = [picture(8 + shade % 5, 8, shade) for shade in shades]
        contents[5] = b"no image"
        outcomes = score_images(model, images(*contents), {}, nothing)
        assert [place for place, (output, _) in enumerate(outcomes) if output is None] == [5]
        for place, (output, _) in enumerate(outcomes):
            if place != 5:
                probabilities = {one["label"]: one["probability"] for one in json.loads(output)["top"]}
                assert probabilities["bright"] == pytest.approx(shades[place] / 255, abs=1e-5)

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "no_image"),
            (picture(50, 50, 1, "JPEG")[:300], "broken_image"),
            (bomb(), "image_too_large"),
        ],
        ids=["empty", "cut", "bomb"],
    )
    def test_a_file_that_is_refused(self, model, content, code):
        (good, _), (_, error) = score_images(model, images(picture(9, 9, 1), content), {}, nothing)
        assert json.loads(good)["label"] == "dark"
        assert json.loads(error)["code"] == code

    @pytest.mark.parametrize("params", [{"top_k": 0}, {"top_k": True}, {"threshold": 1.5}, {"thresold": 0.5}])
    def test_parameters_that_make_no_sense(self, model, params):
        with pytest.raises(InvalidInputs):
            score_images(model, images(picture(9, 9, 1)), params, nothing)

    def test_it_gives_up_between_calls(self, model):
        calls = []

        def check():
            calls.append(1)
            if len(calls) == CALL_IMAGES + 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            score_images(model, images(picture(8, 8, 1)) * (3 * CALL_IMAGES), {}, check)

    def test_a_model_that_does_not_say_what_it_takes(self, tmp_path):
        folder = save_program(tmp_path / "m", Brightness(), "image-classification", ["a", "b"], **{"ml.image": None})
        with pytest.raises(LoadError, match=r"ml\.image"):
            score_images(load(folder), images(picture(9, 9, 1)), {}, nothing)

    def test_a_model_with_another_number_of_classes(self, tmp_path):
        folder = save_program(tmp_path / "m", Brightness(), "image-classification", ["a", "b", "c"])
        ((output, error),) = score_images(load(folder), images(picture(9, 9, 1)), {}, nothing)
        assert output is None
        assert json.loads(error)["code"] == "model_failed"


class TestPipeline:
    def test_an_address_of_an_image_is_refused(self, pipeline):
        with pytest.raises(InputsRefused, match="read the file yourself"):
            pipeline.score(["http://127.0.0.1:9/image.png"], {})

    def test_an_image_that_is_sent_as_a_row_is_answered_as_its_file_is(self, pipeline):
        content = picture(40, 30, 10)
        (row,) = pipeline.score([b64encode(content).decode()], {})
        (file,) = outputs(score_images(pipeline, images(content), {}, nothing))
        assert [one["label"] for one in row.values()] == [one["label"] for one in file["top"]]

    def test_classes_of_every_file(self, pipeline):
        assert file_scorer(pipeline) is score_images
        contents = [picture(40, 30, 10), b"no image", picture(20, 50, 250)]
        outcomes = score_images(pipeline, images(*contents), {"top_k": 2}, nothing)
        assert [output is None for output, _ in outcomes] == [False, True, False]
        for answer in outputs(outcomes):
            assert len(answer["top"]) == 2
            assert answer["label"] in {"cat", "dog", "cow"}
        (alone,) = outputs(score_images(pipeline, images(*contents[2:]), {"top_k": 2}, nothing))
        assert alone["confidence"] == pytest.approx(outputs(outcomes)[1]["confidence"], abs=1e-5)
