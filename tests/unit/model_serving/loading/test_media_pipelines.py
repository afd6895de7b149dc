"""Models of images, sound and video: an address or a path is never opened for a caller."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import orjson
import pandas as pd
import pytest
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InputsRefused
from services.model_serving.loading.example import SERVING_EXAMPLE
from services.model_serving.loading.media_pipelines import LARGEST_IMAGE, MOST_PIXELS, guard
from tests.unit.model_serving.media_models import CHAT, chat_encoder, image_encoder, speech_recognizer
from tests.unit.model_serving.pipelines import image_classifier, text_classifier
from tests.unit.model_serving.saved import load
from tests.unit.model_serving.temptation import Listener, encoded, listening, picture

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")
pytest.importorskip("sentence_transformers", reason="the extra `flavors` is not installed")

TEXT = Schema([ColSpec(DataType.string)])
LABEL = Schema([ColSpec(DataType.string, "label"), ColSpec(DataType.double, "score")])
REQUIREMENTS = ["mlflow"]


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as running:
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture that the service could read."""
    file = tmp_path / "secret.png"
    file.write_bytes(picture())
    return file


def refused(model: LoadedModel, inputs: object, params: dict[str, object] | None = None) -> str:
    with pytest.raises(InputsRefused) as caught:
        model.score(inputs, params or {})
    return caught.value.detail


def save_images(folder: Path, **options: Any) -> Path:
    sent = [encoded(picture())]
    mlflow.transformers.save_model(
        image_classifier(), folder, pip_requirements=REQUIREMENTS, **{"input_example": sent, **options}
    )
    return folder


def without_signature(folder: Path) -> Path:
    """Have a model take anything."""
    description = Model.load(folder)
    description.signature = None
    description.save(str(folder / "MLmodel"))
    return folder


class TestImages:
    @pytest.fixture(scope="class")
    @staticmethod
    def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return save_images(tmp_path_factory.mktemp("images") / "m")

    @pytest.fixture(scope="class")
    @staticmethod
    def images(folder: Path) -> LoadedModel:
        return load(folder)

    @pytest.mark.parametrize("kind", ["BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
    def test_those_that_are_sent_are_answered_as_by_mlflow(self, images: LoadedModel, folder: Path, kind: str) -> None:
        sent = [encoded(picture(kind=kind)), encoded(picture(9, 30, shade=200, kind=kind))]
        answered = mlflow.pyfunc.load_model(str(folder)).predict(sent)
        assert images.score(sent, {}) == answered.to_dict("records")

    def test_an_address_is_not_asked(self, images: LoadedModel, listener: Listener) -> None:
        assert "base64" in refused(images, [listener.url])
        assert not listener.asked

    def test_a_file_is_not_read(self, images: LoadedModel, secret: Path) -> None:
        assert "Addresses and paths of files are not read" in refused(images, [str(secret)])

    def test_nobody_finds_out_which_files_there_are(self, images: LoadedModel, secret: Path) -> None:
        assert refused(images, [str(secret)]) == refused(images, [f"{secret}.none"])
        assert refused(images, [str(secret)]) == refused(images, ["secret"])

    def test_a_path_that_could_be_base64(self, images: LoadedModel, tmp_path: Path, monkeypatch: Any) -> None:
        (tmp_path / "abcd").write_bytes(picture())
        monkeypatch.chdir(tmp_path)
        assert refused(images, ["abcd"]) == refused(images, ["efgh"])

    @pytest.mark.parametrize("name", ["ab cd", "abcd\n", "ab==", "ab=c", " abcd"])
    def test_a_path_that_is_nearly_base64(
        self, images: LoadedModel, tmp_path: Path, monkeypatch: Any, name: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        absent = refused(images, [name])
        (tmp_path / name).write_bytes(picture())
        assert refused(images, [name]) == absent

    def test_one_among_many(self, images: LoadedModel, listener: Listener) -> None:
        refused(images, [encoded(picture()), listener.url, encoded(picture())])
        assert not listener.asked

    def test_every_way_of_sending_rows(self, images: LoadedModel, listener: Listener) -> None:
        reader, sent = images.signature.inputs, np.array([listener.url], dtype=object)
        for given in (reader.read_split(None, [[listener.url]]), reader.read_arrays(sent.reshape(1, 1))):
            with pytest.raises(InputsRefused):
                images.call(given, None)
        assert not listener.asked

    def test_a_file_of_another_kind(self, images: LoadedModel) -> None:
        for content in (b"secret: 4711", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>"):
            assert "no image of a known format" in refused(images, [encoded(content)])

    def test_more_pixels_than_are_decoded(self, images: LoadedModel) -> None:
        side = int(LARGEST_IMAGE**0.5) + 1
        assert f"has {side} x {side} pixels" in refused(images, [encoded(picture(side, side))])

    def test_more_pixels_together_than_are_decoded_in_a_call(self, images: LoadedModel) -> None:
        side = int(LARGEST_IMAGE**0.5)
        large = encoded(picture(side, side))
        assert side**2 <= LARGEST_IMAGE
        assert "100,000,000 pixels together" in refused(images, [large] * (MOST_PIXELS // side**2 + 1))

    def test_one_that_is_cut_short(self, images: LoadedModel) -> None:
        assert "damaged" in refused(images, [encoded(picture()[:50])])


class TestOtherInputs:
    """Of a pipeline of images: what names an image without being a row of a column of text."""

    def test_a_parameter(self, tmp_path: Path, listener: Listener, secret: Path) -> None:
        declared = ModelSignature(TEXT, LABEL, ParamSchema([ParamSpec("images", DataType.string, "")]))
        images = load(save_images(tmp_path / "m", signature=declared, input_example=None))
        for named in (listener.url, str(secret)):
            refused(images, [encoded(picture())], {"images": named})
        assert not listener.asked

    def test_its_own_configuration(self, tmp_path: Path, listener: Listener) -> None:
        declared = ModelSignature(TEXT, LABEL)
        options = {"signature": declared, "input_example": None, "model_config": {"images": listener.url}}
        refused(load(save_images(tmp_path / "m", **options)), [encoded(picture())])
        assert not listener.asked

    def test_its_own_example(self, tmp_path: Path, listener: Listener) -> None:
        folder = save_images(tmp_path / "m")
        (folder / SERVING_EXAMPLE).write_bytes(orjson.dumps({"inputs": [listener.url]}))
        with pytest.raises(InputsRefused, match="base64"):
            load(folder)
        assert not listener.asked

    @pytest.mark.parametrize("depth", [0, 1])
    def test_without_a_signature(self, tmp_path: Path, listener: Listener, depth: int) -> None:
        images = load(without_signature(save_images(tmp_path / "m", input_example=None)))
        named = [listener.url] if depth else listener.url
        refused(images, [{"image": named}])
        refused(images, {"image": [named]})
        assert not listener.asked


class TestSpeech:
    @pytest.fixture(scope="class")
    @staticmethod
    def speech(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
        """A model that was logged to take addresses."""
        folder = tmp_path_factory.mktemp("speech") / "m"
        declared = ModelSignature(TEXT, TEXT)
        mlflow.transformers.save_model(speech_recognizer(), folder, signature=declared, pip_requirements=REQUIREMENTS)
        return load(folder)

    def test_an_address_is_not_asked(self, speech: LoadedModel, listener: Listener) -> None:
        assert "takes no text for what it is to hear" in refused(speech, [listener.url])
        assert not listener.asked

    def test_a_file_is_not_read(self, speech: LoadedModel, secret: Path) -> None:
        assert refused(speech, [str(secret)]) == refused(speech, [f"{secret}.none"])

    def test_a_recording_of_numbers_is_answered_as_by_mlflow(self, tmp_path: Path) -> None:
        sound = np.sin(np.arange(4000, dtype=np.float32) / 9)
        mlflow.transformers.save_model(
            speech_recognizer(), tmp_path / "m", input_example=sound, pip_requirements=REQUIREMENTS
        )
        answered = mlflow.pyfunc.load_model(str(tmp_path / "m")).predict(sound)
        assert load(tmp_path / "m").score(sound.tolist(), {}) == answered


class TestEncoder:
    """An encoder of texts and images: MLflow hands it texts, and it would fetch those that look like an address."""

    @pytest.fixture(scope="class")
    @staticmethod
    def encoder(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
        folder = tmp_path_factory.mktemp("encoder")
        mlflow.sentence_transformers.save_model(
            image_encoder(folder / "clip"), folder / "m", input_example=["good film"], pip_requirements=REQUIREMENTS
        )
        return load(folder / "m")

    def test_an_address_is_a_text(self, encoder: LoadedModel, listener: Listener) -> None:
        (vector,) = encoder.score([listener.url], {})
        assert len(vector) == 8
        assert not listener.asked

    def test_a_path_is_a_text(self, encoder: LoadedModel, secret: Path) -> None:
        there, absent = encoder.score([str(secret), str(secret.with_name("absent.png"))], {})
        assert there.tolist() == absent.tolist()  # both are words that it does not know

    def test_a_pair_of_texts(self, tmp_path: Path, listener: Listener) -> None:
        mlflow.sentence_transformers.save_model(
            chat_encoder(tmp_path / "chat"), tmp_path / "m", pip_requirements=REQUIREMENTS
        )
        loaded = mlflow.pyfunc.load_model(str(without_signature(tmp_path / "m")))
        loaded.get_raw_model()[0].processor.chat_template = CHAT
        guarded = guard(loaded)
        assert guarded.predict(pd.DataFrame({"text": ["good film"]})).shape == (1, 8)
        with pytest.raises(InputsRefused, match="no pairs"):
            guarded.predict(pd.DataFrame({"text": [[["good", listener.url]]]}))
        assert not listener.asked


class TestTexts:
    def test_an_address_is_a_text_like_any_other(self, tmp_path: Path, listener: Listener) -> None:
        mlflow.transformers.save_model(
            text_classifier(), tmp_path / "m", input_example=["good film"], pip_requirements=REQUIREMENTS
        )
        assert load(tmp_path / "m").score([listener.url], {})
        assert not listener.asked
