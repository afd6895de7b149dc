"""Hard negatives: documents that are found for a query and were not judged relevant.

A document that is nearly as similar to the query as the relevant one is likely to be relevant too and only not judged,
so it is passed over: Moreira et al., "NV-Retriever: Improving text embedding models with effective hard-negative
mining", 2024, with the share that they found best.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from mlplatform.retrieval.client import SearchClient, ServiceError

from failures import MiningFailed
from judged import Judged, Pair
from ranking import DEPTH, Embedded, rank

SHARE = 0.95
"""Of the similarity of the relevant document, which a negative must stay below."""
HARDEST = 30
"""Candidates that negatives are drawn from."""
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Example:
    """A pair with its negatives.

    Attributes:
        pair: Query and relevant document.
        negatives: Ids of documents that are not relevant.
    """

    pair: Pair
    negatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Where negatives come from.

    Attributes:
        source: In words.
        found: Query id → ids of documents, the best first.
    """

    source: str
    found: Mapping[str, Sequence[str]]


def from_index(api: SearchClient, kind: str, judged: Judged, queries: Sequence[str], advance: Advance) -> Candidates:
    """Ask the search index.

    Args:
        api: The search service.
        kind: Of the items.
        judged: The collection.
        queries: Ids of the queries.
        advance: Told how many more queries are asked.

    Raises:
        MiningFailed: The service refuses or is down, or finds no document of the collection.
    """
    found: dict[str, Sequence[str]] = {}
    try:
        for query in queries:
            keys, _ = api.search(judged.train.queries[query], DEPTH)
            found[query] = [key for key in keys if key in judged.documents]
            if not found[query] and len(found) == 1:
                raise MiningFailed(f"the index finds no document of {judged.name} among its items of the kind {kind}")
            advance(1)
    except ServiceError as error:
        raise MiningFailed(str(error)) from error
    return Candidates(f"index {kind}", found)


def from_model(queries: Embedded, documents: Embedded) -> Candidates:
    """Take what the model finds that is to be trained."""
    return Candidates("model", rank(queries, documents))


def mine(
    judged: Judged,
    pairs: Sequence[Pair],
    candidates: Candidates,
    queries: Embedded,
    documents: Embedded,
    *,
    count: int,
    seed: int,
) -> list[Example]:
    """Give each pair its negatives.

    Args:
        judged: The collection.
        pairs: What is trained on.
        candidates: What was found for their queries.
        queries: Their queries, as the model sees them.
        documents: All documents, as the model sees them.
        count: Negatives of each pair; where too few are found, others are drawn from all documents.
        seed: Of the draw.
    """
    chance = random.Random(seed)  # noqa: S311 - draws documents
    query_rows, document_rows = queries.rows(), documents.rows()
    everything = sorted(judged.documents)
    examples = []
    for pair in pairs:
        relevant = judged.train.relevant[pair.query]
        vector = queries.vectors[query_rows[pair.query]]
        limit = SHARE * float(documents.vectors[document_rows[pair.document]] @ vector)
        others = [key for key in candidates.found.get(pair.query, ()) if key not in relevant]
        similar = documents.vectors[[document_rows[key] for key in others]] @ vector if others else np.empty(0)
        hard = [key for key, similarity in zip(others, similar, strict=True) if similarity < limit][:HARDEST]
        chosen = chance.sample(hard, min(count, len(hard)))
        chosen += _any(everything, relevant | set(chosen), count - len(chosen), chance)
        examples.append(Example(pair, tuple(chosen)))
    return examples


def _any(documents: Sequence[str], but: set[str], count: int, chance: random.Random) -> list[str]:
    left = [key for key in documents if key not in but] if count else []
    return chance.sample(left, min(count, len(left)))
