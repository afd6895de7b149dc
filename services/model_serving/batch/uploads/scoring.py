"""Files scored: each is fetched, understood and given to the model, or its item fails with the reason."""

import asyncio
import io
from collections.abc import Sequence
from typing import Any, TypeAlias

import orjson
from PIL.Image import Image

from mlplatform.errors import NotFound
from mlplatform.objects import ObjectStore
from services.model_serving.batch.scoring.assignment import Assignment, Report, Scored, Unreadable
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.scoring.rows import CALL_ITEMS, results_of, score_items
from services.model_serving.batch.uploads.archive import read_entry
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.image import read_image
from services.model_serving.batch.uploads.limits import Limits, limits_of
from services.model_serving.batch.uploads.sniff import HEAD, Media, describe, sniff
from services.model_serving.batch.uploads.text import read_text

Outcome: TypeAlias = tuple[str | None, str | None]
Loaded: TypeAlias = str | Image


class Files:
    """Files of an upload.

    Args:
        objects: Where they are.
        limits: Of uploads.
    """

    def __init__(self, objects: ObjectStore, limits: Limits) -> None:
        self._objects = objects
        self._limits = limits
        self._last: tuple[str, bytes] | None = None

    def load(self, entry: dict[str, Any]) -> Loaded:
        """Return the text or the image of an item; blocks.

        Args:
            entry: The item, as the source of its chunk has it.

        Raises:
            FileError: The file cannot be scored.
            DependencyUnavailable: S3 does not answer.
        """
        if "error" in entry:
            raise FileError(*entry["error"])
        content = self._fetch(entry["key"])
        if entry.get("place") is not None:
            content = read_entry(io.BytesIO(content), entry["place"], self._limits)
        media = sniff(content[:HEAD])
        if media is Media.ZIP:
            raise FileError("nested_archive", "The file is an archive in an archive.")
        if media is None:
            raise FileError("unknown_content", f"The file cannot be scored: it is {describe(content[:HEAD])}.")
        return read_image(content, self._limits) if media.is_image else read_text(content, self._limits)

    def _fetch(self, key: str) -> bytes:
        if self._last is None or self._last[0] != key:
            self._last = None
            try:
                self._last = key, asyncio.run(self._objects.get(key))
            except NotFound as error:
                raise FileError("gone", "The file is not stored any more.") from error
        return self._last[1]


def score_files(assignment: Assignment, bench: Bench) -> Report:
    """Score the items of a chunk, which are files."""
    source = assignment.source
    if source is None:
        return Unreadable("The chunk does not say where its files are.")
    model = bench.model()
    entries = [source["items"][number - source["first"]] for number in assignment.items]
    objects = ObjectStore(bench.settings)
    files = Files(objects, limits_of(bench.settings))
    outcomes: list[Outcome] = []
    try:
        for start in range(0, len(entries), CALL_ITEMS):
            loaded = [_load(files, entry, bench) for entry in entries[start : start + CALL_ITEMS]]
            texts = [one for one in loaded if isinstance(one, str)]
            outcomes += _merge(loaded, score_items(model, [[text] for text in texts], assignment.params, bench.check))
    finally:
        objects.close()
    return Scored(results_of(assignment.items, outcomes))


def _load(files: Files, entry: dict[str, Any], bench: Bench) -> str | FileError:
    bench.check()
    try:
        loaded = files.load(entry)
    except FileError as error:
        return error
    if isinstance(loaded, Image):
        return FileError("no_image_model", "The model of the job takes no images.")
    return loaded


def _merge(loaded: Sequence[str | FileError], scored: Sequence[Outcome]) -> list[Outcome]:
    following = iter(scored)
    return [_failed(one) if isinstance(one, FileError) else next(following) for one in loaded]


def _failed(error: FileError) -> Outcome:
    return None, orjson.dumps({"code": error.code, "detail": error.detail, "errors": []}).decode()
