"""From a training program to the files with the results of a job, with a worker that is a process of its own."""

import asyncio
import json
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scenes import LABELS, Scene, draw_scenes, iou
from sklearn.datasets import load_digits

from tests.fixtures.programs import LIBRARIES, run_program
from tests.integration.model_serving.batch.conftest import environment, objects, service, settings
from tests.integration.model_serving.batch.workers import ended, fetch, report_of, results, upload, worker
from tests.integration.model_serving.conftest import publisher
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service
from tests.integration.training.texts import write_texts
from tests.unit.model_serving.batch.media import picture
from tests.unit.model_serving.batch.uploads.corpus import packed

__all__ = ["environment", "objects", "publisher", "service", "settings"]

# MLflow's own wrapper, which loading compares with, hands PyTorch what pandas 3 protects against writing.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")

FEWEST = 200
"""Items that are compared with training."""
WIDE = (160, 96)


async def train(publisher: Publisher, environment: dict[str, str], program: str, *options: str) -> dict[str, Any]:
    """Run a training program, and return what it prints."""
    named = ("--model-name", publisher.name, "--experiment", publisher.name, "--json")
    command = (f"training/{program}/train.py", *options, *named)
    done = await asyncio.to_thread(run_program, *command, environment=os.environ | environment, imported=LIBRARIES)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def rows_of(service: Service, place: str) -> list[dict[str, Any]]:
    """Return the rows of a job's results, which are the same in each of two files."""
    lines = await fetch(service, place, "jsonl")
    rows = [json.loads(line) for line in lines.splitlines()]
    assert pq.read_table(BytesIO(await fetch(service, place, "parquet"))).to_pylist() == rows
    return rows


def encoded(pixels: npt.NDArray[np.uint8], kind: str = "PNG", size: tuple[int, int] | None = None) -> bytes:
    """Write a file of an image, at another size if one is given."""
    image, stream = Image.fromarray(pixels), BytesIO()
    (image.resize(size) if size else image).save(stream, kind)
    return stream.getvalue()


def zipped(contents: Sequence[bytes]) -> bytes:
    """Return an archive of files."""
    return packed({f"x/{number:03}": content for number, content in enumerate(contents)})


def levels(report: dict[str, Any]) -> dict[str, str]:
    """Return how far each column of the answers is from training."""
    assert report["drift"]["status"] == "compared"
    return {column["name"]: column["level"] for column in report["drift"]["columns"]}


class TestTexts:
    async def test_topics(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        await train(publisher, environment, "text_classifier", write_texts(tmp_path))
        archive = packed({"x/goal.txt": b"The striker of Madrid scored twice", "b": b"\xff\xfe"})
        async with worker(environment, tmp_path):
            weather = "It will be cloudy and cold in Madrid, 5 °C".encode()
            long = weather + b" and windy" * 300
            files = (weather, picture(9, 9, 1), archive, long)
            place = await upload(service, publisher, *files, params='{"threshold": 0.5}')
            job = await ended(service, place)
            rows = await rows_of(service, place)
        assert (job["state"], job["items"], job["succeeded"]) == ("completed", 5, 3), job
        assert [row["item"] for row in rows] == [0, 1, 2, 3, 4]
        assert [row["name"] for row in rows] == ["0.bin", "1.bin", "x/goal.txt", "b", "3.bin"]
        assert [row["prediction_label"] for row in rows] == ["weather", None, "football", None, "weather"]
        assert [row["prediction_truncated"] for row in rows] == [False, None, False, None, True]
        assert [row["code"] for row in rows] == [None, "no_image_model", None, "unknown_content", None]
        for row in (rows[0], rows[2]):
            assert row["prediction_certain"] is True
            top = json.loads(row["prediction_top"])
            assert top[0] == {"label": row["prediction_label"], "probability": row["prediction_confidence"]}
            assert sum(one["probability"] for one in top) == pytest.approx(1, abs=1e-5)


class TestImages:
    async def test_digits(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        summary = await train(publisher, environment, "image_classifier", "--epochs", "4")
        found = load_digits()
        gray = (found.images * (255 / 16)).round().astype(np.uint8)
        files = [encoded(pixels) for pixels in gray[: FEWEST + 20]]
        ones = [encoded(pixels) for pixels in gray[found.target == 1]]
        params = '{"top_k": 3, "threshold": 0.9}'
        async with worker(environment, tmp_path):
            place = await upload(service, publisher, *files[:2], b"a text", zipped(files[2:]), params=params)
            job = await ended(service, place)
            rows, report = await rows_of(service, place), await report_of(service, place)
            other = await upload(service, publisher, zipped((ones * 2)[:FEWEST]))
            await ended(service, other)
            drifted = await report_of(service, other)
        assert (job["state"], job["items"], job["failed"]) == ("completed", len(files) + 1, 1), job
        assert [row["item"] for row in rows] == list(range(len(files) + 1))
        assert [row["name"] for row in rows[:5]] == ["0.bin", "1.bin", "2.bin", "x/000", "x/001"]
        assert (rows[2]["code"], rows[2]["prediction_label"]) == ("no_text_model", None)
        right = []
        for row, digit in zip(rows[:2] + rows[3:], found.target, strict=False):
            confidence, top = row["prediction_confidence"], json.loads(row["prediction_top"])
            assert len(top) == 3
            assert top[0] == {"label": row["prediction_label"], "probability": confidence}
            shares = [one["probability"] for one in top]
            assert 1 >= sum(shares) >= shares[0] >= shares[1] >= shares[2] >= 0
            assert row["prediction_certain"] is (confidence >= 0.9)
            right.append((row["prediction_label"] == str(digit), confidence, row["prediction_certain"]))
        correct, confidences, certain = np.array(right, dtype=float).T
        assert correct.mean() > 0.9
        assert abs(confidences.mean() - correct.mean()) < 0.05
        assert 0 < certain.mean() < 1
        assert summary["metrics"]["accuracy"] > 0.9
        assert report["drift"]["rows"] == len(files)
        assert levels(report).keys() == {"label", "confidence"}
        assert "major" not in levels(report).values()
        assert levels(drifted)["label"] == "major"


class TestScenes:
    async def test_boxes_in_pixels_of_the_original(
        self, service: Service, publisher: Publisher, environment: dict[str, str], tmp_path: Path
    ) -> None:
        options = ("--scenes", "600", "--size", "64", "--epochs", "12")
        await train(publisher, environment, "object_detector", *options)
        scenes = draw_scenes(FEWEST + 10, 64, seed=99, advance=lambda _: None)
        files = [encoded(scene.pixels, "BMP", WIDE) for scene in scenes]
        params = '{"threshold": 0.2}'
        async with worker(environment, tmp_path):
            place = await upload(service, publisher, *files[:2], b"a text", zipped(files[2:]), params=params)
            job = await ended(service, place)
            rows, report = await rows_of(service, place), await report_of(service, place)
            fewer = await upload(service, publisher, *files[:20], params='{"top_k": 1, "threshold": 0.2}')
            await ended(service, fewer)
            surest = [one["output"]["detections"] for one in await results(service, fewer)]
            empty = await upload(service, publisher, zipped([picture(*WIDE, shade % 256) for shade in range(FEWEST)]))
            await ended(service, empty)
            drifted = await report_of(service, empty)
        assert (job["state"], job["items"], job["failed"]) == ("completed", len(files) + 1, 1), job
        assert (rows[2]["code"], rows[2]["prediction_detections"]) == ("no_text_model", None)
        judged, found = [], []
        for row, scene in zip(rows[:2] + rows[3:], scenes, strict=True):
            assert (row["prediction_width"], row["prediction_height"]) == WIDE
            detections = json.loads(row["prediction_detections"])
            confidences = [one["confidence"] for one in detections]
            assert confidences == sorted(confidences, reverse=True)
            assert all(0.2 <= confidence <= 1 for confidence in confidences)
            found.append(detections)
            judged += [(is_right(one, scene), one["confidence"]) for one in detections]
        right, confidence = np.array(judged, dtype=float).T
        assert right.sum() > 0.3 * sum(len(scene.boxes) for scene in scenes)
        assert right.mean() > 0.4
        assert abs(confidence.mean() - right.mean()) < 0.1
        assert max(map(len, found[:20])) > 1
        for answered, detections in zip(surest, found, strict=False):
            assert [one["label"] for one in answered] == [one["label"] for one in detections[:1]]
            assert all(one["confidence"] == pytest.approx(detections[0]["confidence"], abs=1e-5) for one in answered)
        assert levels(report).keys() == {"objects", "label", "confidence"}
        assert "major" not in levels(report).values()
        assert levels(drifted)["objects"] == "major"


def is_right(detection: dict[str, Any], scene: Scene) -> bool:
    """Say whether a box overlaps an object of its class by half or more."""
    overlaps = iou(np.array([detection["box"]]) / (WIDE * 2), scene.boxes)[0]
    return bool(overlaps.max() >= 0.5 and LABELS[scene.classes[overlaps.argmax()]] == detection["label"])
