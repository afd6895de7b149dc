"""A retrieval collection in the layout of BEIR: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson


class CollectionError(Exception):
    """The folder does not hold a collection; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, queries and who judged what relevant.

    Attributes:
        documents: Id → title and text, joined.
        empty: Ids of documents without text; they cannot be found and are not indexed.
        queries: Id → text, of the queries that have a relevant document.
        relevant: Query id → ids of its relevant documents.
    """

    documents: dict[str, str]
    empty: list[str]
    queries: dict[str, str]
    relevant: dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class Judgements:
    """Queries and who judged what relevant.

    Attributes:
        queries: Id → text, of the queries that have a relevant document.
        relevant: Query id → ids of its relevant documents.
    """

    queries: dict[str, str]
    relevant: dict[str, set[str]]


def read_judgements(folder: Path, split: str = "test") -> Judgements:
    """Read the queries of a folder and their judgements; there need be no documents.

    Raises:
        CollectionError: A file is missing or wrong.
    """
    relevant = _judgements(folder / "qrels" / f"{split}.tsv")
    path = folder / "queries.jsonl"
    queries = {row["_id"]: _text(row, path) for row in _rows(path) if row["_id"] in relevant}
    if not queries:
        raise CollectionError(f"{folder} has no query with a relevant document.")
    return Judgements(queries, relevant)


def read_collection(folder: Path, split: str = "test") -> Collection:
    """Read a folder.

    Raises:
        CollectionError: A file is missing or wrong.
    """
    texts = {
        row["_id"]: " ".join(part for part in (row.get("title") or "", row.get("text") or "") if part).strip()
        for row in _rows(folder / "corpus.jsonl")
    }
    if not texts:
        raise CollectionError(f"{folder} has no documents.")
    judged = read_judgements(folder, split)
    return Collection(
        documents={key: text for key, text in texts.items() if text},
        empty=[key for key, text in texts.items() if not text],
        queries=judged.queries,
        relevant=judged.relevant,
    )


def _text(row: dict[str, Any], path: Path) -> str:
    text = row.get("text")
    if not isinstance(text, str):
        raise CollectionError(f"{path}: the query {row['_id']} has no text.")
    return text


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CollectionError(f"{path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise CollectionError(f"{path}, line {number}, is not JSON.") from error
            if not isinstance(row, dict) or "_id" not in row:
                raise CollectionError(f"{path}, line {number}, has no _id.")
            yield row


def _judgements(path: Path) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = defaultdict(set)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if int(row["score"]) > 0:
                    relevant[row["query-id"]].add(row["corpus-id"])
    except OSError as error:
        raise CollectionError(f"{path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CollectionError(f"{path} must have the columns query-id, corpus-id and score.") from error
    return dict(relevant)
