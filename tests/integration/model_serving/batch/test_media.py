"""Texts and images from their upload to what was found in them, with a worker that is a process of its own."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import mlflow
import pyarrow.parquet as pq
import pytest

from mlplatform.objects import ObjectStore
from mlplatform.registry import tags as tag
from mlplatform.registry.register import register_model_version
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.workers import ended, fetch, report_of, results, upload, worker
from tests.integration.model_serving.publisher import REQUIREMENTS, Publisher
from tests.integration.model_serving.running import Service
from tests.unit.model_serving.batch.media import Brightness, Corner, picture, program_options
from tests.unit.model_serving.batch.uploads.corpus import packed
from tests.unit.model_serving.pipelines import text_classifier

pytest.importorskip("transformers", reason="the extra `flavors` is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")


def publish(publisher: Publisher, module: Any, task: str, labels: list[str]) -> None:
    """Register a program of images as training does."""
    logged = mlflow.pytorch.log_model(module.eval(), name="model", **program_options(task, labels))
    register_model_version(publisher.registry, publisher.name, logged.model_uri, tags={tag.TASK: task})


async def scored(service: Service, place: str) -> list[dict[str, Any]]:
    """Wait for the end of a job, and return the output of each item, or its error."""
    job = await ended(service, place)
    assert job["state"] == "completed", job
    return [one["output"] or one["error"] for one in await results(service, place)]


class TestTexts:
    async def test_classes_of_each_file(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        logged = mlflow.transformers.log_model(
            text_classifier(), name="model", input_example=["good film"], pip_requirements=REQUIREMENTS
        )
        publisher.register(logged.model_uri)
        archive = packed({"a": b"good film", "b": "bad".encode("utf-16")})
        async with worker(environment, tmp_path):
            place = await upload(service, publisher, b"good film", picture(9, 9, 1), archive, params='{"top_k": 1}')
            alone, image, packed_one, unread = await scored(service, place)
            place = await upload(service, publisher, b"good film", b"good " * 50, b"\xff\xfe")
            cut = [one.get("truncated") for one in await scored(service, place)]
            files = {form: await fetch(service, place, form) for form in ("jsonl", "csv", "parquet")}
            report = await report_of(service, place)
        assert cut == [False, True, None]
        assert [json.loads(line)["prediction_truncated"] for line in files["jsonl"].splitlines()] == cut
        table = pq.read_table(io.BytesIO(files["parquet"]))
        assert table.column("prediction_truncated").to_pylist() == cut
        cells = [row["prediction_truncated"] for row in csv.DictReader(files["csv"].decode().splitlines())]
        assert cells == ["false", "true", ""]
        assert report["answers"]["truncated"] == 1
        assert [len(one["top"]) for one in (alone, packed_one)] == [1, 1]
        assert packed_one["label"] == alone["label"] == alone["top"][0]["label"]
        assert packed_one["confidence"] == pytest.approx(alone["confidence"], abs=1e-5)
        assert [one["code"] for one in (image, unread)] == ["no_image_model", "unknown_content"]


class TestImages:
    async def test_classes_of_each_file_with_reviews_and_a_report(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        publish(publisher, Brightness(), "image-classification", ["dark", "bright"])
        shades = [204, 255, 0]
        async with worker(environment, tmp_path):
            contents = [picture(30, 20 + shade, shade) for shade in shades]
            place = await upload(service, publisher, *contents, b"a text", threshold="0.9")
            *found, text = await scored(service, place)
            report = await report_of(service, place)
        assert [(one["label"], one["confidence"]) for one in found] == [("bright", 0.8), ("bright", 1.0), ("dark", 1.0)]
        assert text["code"] == "no_text_model"
        assert (report["answers"]["classes"], report["errors"]) == ({"bright": 2, "dark": 1}, {"no_text_model": 1})
        (review,) = (await service.client.get("/api/v1/reviews", params={"state": "pending"})).json()["reviews"]
        assert (review["item"], review["confidence"], review["input"]["name"]) == (0, 0.8, "0.bin")

    @pytest.mark.parametrize("params", ['{"top_k": 0}', '{"top_n": 1}'])
    async def test_parameters_that_make_no_sense_are_refused_at_once(
        self, service: Service, publisher: Publisher, settings: ServingSettings, objects: ObjectStore, params: str
    ) -> None:
        publish(publisher, Brightness(), "image-classification", ["dark", "bright"])
        answer = await service.client.post(
            "/api/v1/batch/files",
            data={"model": publisher.name, "version": "1", "params": params},
            files=[("files", ("a", picture(9, 9, 1)))],
        )
        assert answer.status_code == 422
        (wrong,) = answer.json()["errors"]
        assert wrong["field"].startswith("body.params.top_")
        assert ("top_k and threshold" in wrong["message"]) == (wrong["field"] == "body.params.top_n")
        assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []
        assert list(objects._client.list_objects(settings.s3_bucket, recursive=True)) == []


class TestScenes:
    async def test_more_boxes_than_there_can_be_are_refused_at_once(
        self, service: Service, publisher: Publisher, settings: ServingSettings, objects: ObjectStore
    ) -> None:
        publish(publisher, Corner(), "object-detection", ["cat", "dog"])
        for most, status in ((301, 422), (300, 202)):
            answer = await service.client.post(
                "/api/v1/batch/files",
                data={"model": publisher.name, "version": "1", "params": f'{{"top_k": {most}}}'},
                files=[("files", ("a", picture(9, 9, 1)))],
            )
            assert answer.status_code == status, answer.text
            if status == 422:
                wrong = {"field": "body.params.top_k", "message": "must be a whole number from 1 to 300"}
                assert answer.json()["errors"] == [wrong]
                assert list(objects._client.list_objects(settings.s3_bucket, recursive=True)) == []

    async def test_boxes_in_pixels_of_each_file(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        publish(publisher, Corner(), "object-detection", ["cat", "dog"])
        async with worker(environment, tmp_path):
            place = await upload(service, publisher, picture(300, 100, 255), picture(10, 1000, 0, "JPEG"))
            bright, dark = await scored(service, place)
        assert (bright["width"], bright["height"]) == (300, 100)
        assert bright["detections"] == [{"label": "dog", "confidence": 1.0, "box": [150.0, 50.0, 300.0, 100.0]}]
        assert dark == {"width": 10, "height": 1000, "detections": []}
