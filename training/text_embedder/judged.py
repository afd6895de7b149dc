"""Judged queries: those that are trained on, and those that only measure."""

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from mlplatform.retrieval.collection import CollectionError, Judgements, read_collection, read_judgements
from mlplatform.training.failures import BadData

TRAIN, TEST = "train", "test"
LEAST_QUERIES = 10
"""Held-out queries below which nothing can be said of a difference."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A collection, split by queries.

    Attributes:
        name: Of the folder.
        documents: Id → text.
        train: What is trained on.
        held_out: What measures.
        digest: Of documents and held-out judgements: figures of equal digests may be compared.
    """

    name: str
    documents: Mapping[str, str]
    train: Judgements
    held_out: Judgements
    digest: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a document that was judged relevant.

    Attributes:
        query: Id of the query.
        document: Id of the document.
    """

    query: str
    document: str


def read_judged(folder: Path, *, share: float, seed: int) -> Judged:
    """Read a folder in the layout of BEIR.

    With `qrels/train.tsv` its queries are trained on and those of `qrels/test.tsv` measure; without, a share of the
    latter is held out. A query whose text is held out is never trained on, whatever its id.

    Args:
        folder: The folder.
        share: Of the queries that is held out.
        seed: Of the choice.

    Raises:
        BadData: A file is missing or wrong, or there are too few queries.
    """
    try:
        collection = read_collection(folder, TEST)
        judged = Judgements(collection.queries, collection.relevant)
        if (folder / "qrels" / f"{TRAIN}.tsv").is_file():
            train, held_out = read_judgements(folder, TRAIN), judged
        else:
            train, held_out = _split(judged, share, seed)
    except CollectionError as error:
        raise BadData(str(error)) from None
    known = {_essence(text) for text in held_out.queries.values()}
    train = _only(train, (key for key, text in train.queries.items() if _essence(text) not in known))
    if len(held_out.queries) < LEAST_QUERIES:
        raise BadData(
            f"{folder}: {len(held_out.queries)} held-out queries are too few to measure; {LEAST_QUERIES} are the least"
        )
    if not any(train.relevant[key] & collection.documents.keys() for key in train.queries):
        raise BadData(f"{folder}: no query is left to train on; give it qrels/{TRAIN}.tsv, or a smaller --held-out")
    digest = _digest(collection.documents, held_out)
    return Judged(folder.resolve().name, collection.documents, train, held_out, digest)


def choose_pairs(judged: Judged, most: int, seed: int) -> list[Pair]:
    """Choose the pairs to train on, of as many queries as can be.

    Args:
        judged: The collection.
        most: How many at most.
        seed: Of the choice.
    """
    chance = random.Random(seed)  # noqa: S311 - a shuffle
    ranked: list[tuple[int, float, Pair]] = []
    for query in judged.train.queries:
        relevant = sorted(judged.train.relevant[query] & judged.documents.keys())
        chance.shuffle(relevant)
        ranked += [(turn, chance.random(), Pair(query, document)) for turn, document in enumerate(relevant)]
    ranked.sort(key=lambda one: one[:2])
    return [pair for *_, pair in ranked[:most]]


def _split(judged: Judgements, share: float, seed: int) -> tuple[Judgements, Judgements]:
    keys = sorted(judged.queries)
    random.Random(seed).shuffle(keys)  # noqa: S311 - a shuffle
    count = max(1, round(share * len(keys)))
    return _only(judged, keys[count:]), _only(judged, keys[:count])


def _only(judged: Judgements, keys: Iterable[str]) -> Judgements:
    kept = sorted(keys)
    return Judgements({key: judged.queries[key] for key in kept}, {key: judged.relevant[key] for key in kept})


def _essence(text: str) -> str:
    return " ".join(text.casefold().split())


def _digest(documents: Mapping[str, str], held_out: Judgements) -> str:
    relevant = {key: sorted(held_out.relevant[key]) for key in held_out.queries}
    content = [dict(documents), held_out.queries, relevant]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
