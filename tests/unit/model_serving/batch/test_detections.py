"""Files of images in which objects are found."""

import json
import shutil

import mlflow
import pytest
from PIL import Image

from services.model_serving.batch.review.judgement import Judgement, judge
from services.model_serving.batch.scoring.detections import score_detections
from services.model_serving.batch.scoring.files import file_scorer
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

    def test_a_file_that_is_no_image(self, model):
        outcomes = score_detections(model, images(b"nothing", picture(9, 9, 255)), {}, lambda: None)
        assert [output is None for output, _ in outcomes] == [True, False]
        assert json.loads(outcomes[0][1])["code"] == "no_image"


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
