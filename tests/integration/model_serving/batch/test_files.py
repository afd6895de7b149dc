"""Files out of S3 into a model, each with an outcome of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
import pytest
from mlflow.models import Model, ModelSignature
from mlflow.types.schema import ColSpec, Schema

from mlplatform.errors import DependencyUnavailable
from mlplatform.objects import ObjectStore
from services.model_serving.batch.scoring.assignment import Assignment, Scored
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.scoring.tasks import find_task
from services.model_serving.batch.scoring.turn import Cut
from services.model_serving.batch.uploads.removal import key_of
from services.model_serving.batch.uploads.shelf import Shelf
from services.model_serving.batch.work.chunk import Chunk, Claim
from services.model_serving.batch.work.parts import parts
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.settings import ServingSettings
from services.model_serving.signature import compile_signature
from tests.unit.model_serving.batch.uploads.corpus import encrypted, lying, packed, picture
from tests.unit.model_serving.doubles import model_of

SIGNATURE = ModelSignature(inputs=Schema([ColSpec("string", "text")]))


def shouting() -> LoadedModel:
    """Return a model that answers a text in capitals."""
    other = model_of()
    signature = compile_signature(Model(signature=SIGNATURE), max_rows=10)
    return LoadedModel(
        other.identity,
        signature,
        SIGNATURE,
        None,
        lambda given, _: [text.upper() for text in given.data["text"]],
        other.report,
        row_wise=True,
        size=0,
    )


def nothing() -> None:
    """Go on."""


class Noting(Shelf):
    """A shelf that notes what is fetched, and when a turn begins.

    Args:
        notes: To add to.
    """

    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self._notes = notes

    def get(self, key: str, fetch: Callable[[], bytes]) -> bytes:
        """Return an object."""

        def noted() -> bytes:
            self._notes.append("fetch")
            return fetch()

        return super().get(key, noted)


@dataclass(frozen=True, slots=True)
class NotingBench(Bench):
    """A bench that notes when a turn begins."""

    notes: list[str] = field(default_factory=list)

    def turn(self, spent: float = 0.0) -> Cut:
        """Return what cuts."""
        self.notes.append("turn")
        return Bench.turn(self, spent)


async def score(
    settings: ServingSettings, entries: list[dict], numbers: list[int], first: int = 0, bench: Bench | None = None
) -> Scored:
    """Score items of a chunk as a scorer does, which is in a thread without a loop."""
    source = {"type": "files", "first": first, "items": entries}
    assignment = Assignment(shouting().identity, {}, numbers, b"", source)
    task = find_task(assignment)
    report = await asyncio.to_thread(task, assignment, bench or Bench(shouting, nothing, settings))
    assert isinstance(report, Scored)
    return report


def said(report: Scored) -> dict[int, str]:
    """Return what was answered for each item, or the code of its error."""
    return {
        one.item: orjson.loads(one.output) if one.error is None else orjson.loads(one.error)["code"]
        for one in report.results
    }


class TestScore:
    async def test_each_file_has_an_outcome_of_its_own(self, settings: ServingSettings, objects: ObjectStore) -> None:
        upload = uuid4()
        inner = packed({"x": b"one", "y": b"", "z": packed({"a": b"1"}), "w": "zwölf".encode()})
        contents = [b"good", b"\xffbad", picture("PNG"), inner, encrypted(), lying(bytes(5000), 10), b"end"]
        for number, content in enumerate(contents):
            await objects.put(key_of(upload, number), content)
        keys = [key_of(upload, number) for number in range(len(contents))]
        entries = [
            {"name": "a", "key": keys[0], "media": "text/plain"},
            {"name": "b", "key": keys[1], "media": "text/plain"},
            {"name": "c", "key": keys[2], "media": "image/png"},
            *({"name": "d", "key": keys[3], "place": place} for place in range(4)),
            {"name": "e", "key": keys[4], "place": 0},
            {"name": "f", "key": keys[5], "place": 0},
            {"name": "g", "key": key_of(uuid4(), 0), "media": "text/plain"},
            {"name": "h", "error": ["unknown_content", "It is a PDF."]},
            {"name": "i", "key": keys[6], "media": "text/plain"},
        ]
        assert said(await score(settings, entries, list(range(12)))) == {
            0: "GOOD",
            1: "unknown_content",
            2: "no_image_model",
            3: "ONE",
            4: "unknown_content",
            5: "nested_archive",
            6: "ZWÖLF",
            7: "encrypted",
            8: "broken_archive",
            9: "gone",
            10: "unknown_content",
            11: "END",
        }

    async def test_some_items_of_a_chunk(self, settings: ServingSettings, objects: ObjectStore) -> None:
        upload = uuid4()
        for number in range(3):
            await objects.put(key_of(upload, number), f"text {number}".encode())
        entries = [{"name": "", "key": key_of(upload, number), "media": "text/plain"} for number in range(3)]
        assert said(await score(settings, entries, [100, 102], first=100)) == {100: "TEXT 0", 102: "TEXT 2"}

    async def test_what_one_turn_leaves_is_scored_in_the_next_ones(
        self, settings: ServingSettings, objects: ObjectStore
    ) -> None:
        hasty = settings.model_copy(update={"batch_turn": timedelta(microseconds=1)})
        upload = uuid4()
        for number in range(5):
            await objects.put(key_of(upload, number), f"text {number}".encode())
        entries = [{"name": "", "key": key_of(upload, number), "media": "text/plain"} for number in range(5)]
        source = {"type": "files", "first": 100, "items": entries}
        left = Chunk(Claim("a", uuid4(), 0, 1), [100, 101, 103, 104], None, 0, datetime.now(UTC), source)
        found: list[dict] = []
        while True:
            report = await score(hasty, left.source["items"], left.items, first=left.source["first"])
            found.append(said(report))
            if not report.rest:
                break
            rest = parts(left, len(report.results))[1]
            left = replace(left, items=rest.items, source=rest.source)
        assert found == [{100: "TEXT 0"}, {101: "TEXT 1"}, {103: "TEXT 3"}, {104: "TEXT 4"}]

    async def test_an_archive_is_fetched_once_and_before_the_time_of_a_turn_begins(
        self, settings: ServingSettings, objects: ObjectStore
    ) -> None:
        notes: list[str] = []
        bench = NotingBench(shouting, nothing, settings, shelf=Noting(notes), notes=notes)
        key = key_of(uuid4(), 0)
        await objects.put(key, packed({"a": b"one", "b": b"two", "c": b"three"}))
        entries = [{"name": "", "key": key, "place": place} for place in range(3)]
        assert said(await score(settings, entries[:2], [0, 1], bench=bench)) == {0: "ONE", 1: "TWO"}
        assert said(await score(settings, entries[2:], [2], first=2, bench=bench)) == {2: "THREE"}
        assert notes == ["fetch", "turn", "turn"]

    async def test_s3_that_is_away_is_no_items_fault(self, settings: ServingSettings) -> None:
        away = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
        with pytest.raises(DependencyUnavailable):
            await score(away, [{"name": "", "key": key_of(uuid4(), 0), "media": "text/plain"}], [0])
