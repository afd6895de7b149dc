"""Files of text, classified."""

import json
from functools import partial

import mlflow
import pandas as pd
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from services.model_serving.batch.scoring.files import file_scorer
from services.model_serving.batch.scoring.pipelines import longest_text, pipeline_of
from services.model_serving.batch.scoring.texts import score_texts
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.text import read_text
from tests.unit.model_serving.pipelines import text_classifier
from tests.unit.model_serving.saved import load

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")

SCRIPT = """
import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class Shouting(PythonModel):
    def predict(self, context, model_input: pd.DataFrame) -> pd.DataFrame:
        texts = model_input["text"].tolist()
        if any("break" in text for text in texts):
            raise RuntimeError("broken")
        loud = [sum(map(str.isupper, text)) / len(text) for text in texts]
        answer = pd.DataFrame({"probabilities": [{"loud": share, "calm": 1 - share} for share in loud]})
        if any("tell" in text for text in texts):
            answer["truncated"] = [len(text) > 10 for text in texts]
        return answer


mlflow.models.set_model(Shouting())
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    (folder / "entry.py").write_text(SCRIPT)
    mlflow.pyfunc.save_model(
        folder / "m",
        python_model=str(folder / "entry.py"),
        signature=ModelSignature(Schema([ColSpec("string", "text")])),
        input_example=pd.DataFrame({"text": ["Aa"]}),
        metadata={"ml.task": "text-classification"},
        pip_requirements=["mlflow"],
    )
    return load(folder / "m")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pipeline") / "m"
    mlflow.transformers.save_model(text_classifier(), folder, input_example=["good film"], pip_requirements=["mlflow"])
    return load(folder)


def nothing():
    pass


def texts_of(model, *texts, **params):
    contents = [text if isinstance(text, bytes) else text.encode() for text in texts]
    return score_texts(model, [partial(read_text, content, Limits()) for content in contents], params, nothing)


class TestScoreTexts:
    def test_answers_stay_with_their_files(self, model):
        assert file_scorer(model) is score_texts
        texts = ["A" * upper + "a" * lower for upper, lower in ((300, 100), (1, 3), (0, 9), (2, 2), (7000, 1000))]
        found = [json.loads(output) for output, _ in texts_of(model, *texts, top_k=2, threshold=0.8)]
        loud = [{one["label"]: one["probability"] for one in answer["top"]}["loud"] for answer in found]
        assert loud == [0.75, 0.25, 0.0, 0.5, 0.875]
        assert [answer["certain"] for answer in found] == [False, False, True, False, True]

    def test_only_the_file_to_blame_fails(self, model):
        outcomes = texts_of(model, "one", "break", "two", b"\xff\xfe", "  ", b"a\0b", "three")
        assert [output is not None for output, _ in outcomes] == [True, False, True, False, False, False, True]
        codes = [json.loads(error)["code"] for _, error in outcomes if error]
        assert codes == ["model_failed", "not_utf8", "empty", "not_text"]

    def test_a_model_may_say_which_it_did_not_read_to_the_end(self, model):
        outcomes = texts_of(model, "tell", "tell " + "a" * 20)
        assert [json.loads(output)["truncated"] for output, _ in outcomes] == [False, True]
        ((output, _),) = texts_of(model, "a" * 20)
        assert "truncated" not in json.loads(output)


class TestPipeline:
    def test_all_classes_with_their_probabilities(self, pipeline):
        assert file_scorer(pipeline) is score_texts
        outcomes = texts_of(pipeline, "good film", "bad " * 500, "film")
        found = [json.loads(output) for output, _ in outcomes]
        for answer in found:
            assert sum(one["probability"] for one in answer["top"]) == pytest.approx(1, abs=1e-5)
            assert answer["confidence"] == answer["top"][0]["probability"] >= answer["top"][1]["probability"]
        assert [answer["truncated"] for answer in found] == [False, True, False]
        (alone,) = texts_of(pipeline, "good film")
        assert json.loads(alone[0])["confidence"] == pytest.approx(found[0]["confidence"], abs=1e-5)

    @pytest.mark.parametrize("added", [0, 1])
    def test_a_text_is_cut_from_one_word_more_on_than_the_model_reads(self, pipeline, added):
        longest = longest_text(pipeline_of(pipeline))
        outcomes = texts_of(pipeline, "good " * (longest + added))
        assert json.loads(outcomes[0][0])["truncated"] is bool(added)
