"""Files scored: each is fetched, understood and given to the model, or its item fails with the reason."""

import asyncio
import io
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from PIL.Image import Image

from mlplatform.errors import NotFound
from mlplatform.objects import ObjectStore
from services.model_serving.batch.scoring.assignment import Assignment, Report, Unreadable
from services.model_serving.batch.scoring.bench import Bench, NotLoaded
from services.model_serving.batch.scoring.calls import Check, Load, Outcome, failed
from services.model_serving.batch.scoring.files import FileScorer, file_scorer
from services.model_serving.batch.scoring.media import TEXTS, task_of
from services.model_serving.batch.scoring.rows import CALL_ITEMS, score_items, scored
from services.model_serving.batch.uploads.archive import Archive
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits, limits_of
from services.model_serving.batch.uploads.shelf import Shelf
from services.model_serving.batch.uploads.sniff import HEAD, Media, describe, sniff
from services.model_serving.batch.uploads.text import read_text
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import InvalidInputs, LoadError, reason


class Files:
    """Files of an upload.

    Args:
        objects: Where they are.
        limits: Of uploads.
        shelf: Has the archive that was read last.

    An entry is an item as the source of its chunk has it. Every method blocks, and raises `FileError` when the file
    cannot be scored, and `DependencyUnavailable` when S3 does not answer.
    """

    def __init__(self, objects: ObjectStore, limits: Limits, shelf: Shelf) -> None:
        self._objects = objects
        self._limits = limits
        self._shelf = shelf
        self._archive: tuple[str, Archive] | None = None

    def prepare(self, entry: dict[str, Any]) -> None:
        """Fetch the archive that an item is in; what is wrong with it is said of each of its items."""
        if "error" not in entry and entry.get("place") is not None:
            with suppress(FileError):
                self._open(entry["key"])

    def text(self, entry: dict[str, Any]) -> str:
        """Return the text of an item."""
        content, media = self._understood(entry)
        if media is not Media.TEXT:
            raise FileError("no_image_model", "The model of the job takes no images.")
        return read_text(content, self._limits)

    def image(self, entry: dict[str, Any]) -> Image:
        """Return the image of an item."""
        content, media = self._understood(entry)
        if media is Media.TEXT:
            raise FileError("no_text_model", "The model of the job takes no texts.")
        return read_image(content, self._limits)

    def _understood(self, entry: dict[str, Any]) -> tuple[bytes, Media]:
        if "error" in entry:
            raise FileError(*entry["error"])
        key, place = entry["key"], entry.get("place")
        content = self._get(key) if place is None else self._open(key).read(place)
        media = sniff(content[:HEAD])
        if media is Media.ZIP:
            raise FileError("nested_archive", "The file is an archive in an archive.")
        if media is None:
            raise FileError("unknown_content", f"The file cannot be scored: it is {describe(content[:HEAD])}.")
        return content, media

    def _open(self, key: str) -> Archive:
        if self._archive is None or self._archive[0] != key:
            self._archive = None
            content = self._shelf.get(key, lambda: self._get(key))
            self._archive = key, Archive(io.BytesIO(content), self._limits)
        return self._archive[1]

    def _get(self, key: str) -> bytes:
        try:
            return asyncio.run(self._objects.get(key))
        except NotFound as error:
            raise FileError("gone", "The file is not stored any more.") from error


def score_files(assignment: Assignment, bench: Bench) -> Report:
    """Score the items of a chunk, which are files."""
    source = assignment.source
    if source is None:
        return Unreadable("The chunk does not say where its files are.")
    model = bench.model()
    score: FileScorer = file_scorer(model) or score_rows
    entries = [source["items"][number - source["first"]] for number in assignment.items]
    objects = ObjectStore(bench.settings)
    files = Files(objects, limits_of(bench.settings), bench.shelf)
    read = files.text if task_of(model) in {None, TEXTS} else files.image
    outcomes: list[Outcome] = []
    try:
        begin = time.monotonic()
        files.prepare(entries[0])
        for part in bench.turn(time.monotonic() - begin)(len(entries), CALL_ITEMS):
            loads = [partial(read, entry) for entry in entries[part]]
            outcomes += score(model, loads, assignment.params, bench.check)
    except InvalidInputs as error:
        return Unreadable("; ".join(f"{wrong.field}: {wrong.message}" for wrong in error.errors))
    except LoadError as error:
        raise NotLoaded(reason(error)) from error
    finally:
        objects.close()
    return scored(assignment.items, outcomes)


def score_rows(
    model: LoadedModel, files: Sequence[Load[str]], params: Mapping[str, Any], check: Check
) -> list[Outcome]:
    """Score texts with a model of rows, each as a row of one column."""
    found: list[str | FileError] = []
    for load in files:
        check()
        try:
            found.append(load())
        except FileError as error:
            found.append(error)
    outcomes = iter(score_items(model, [[text] for text in found if isinstance(text, str)], dict(params), check))
    return [failed(one) if isinstance(one, FileError) else next(outcomes) for one in found]
