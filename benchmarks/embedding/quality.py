"""How well vectors find what was judged relevant, by exact search."""

import statistics
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mlplatform.retrieval.collection import Collection
from mlplatform.retrieval.measures import ndcg

DEPTH = 10

Encode = Callable[[Sequence[str]], NDArray[np.float32]]


def ndcg_at_10(collection: Collection, encode: Encode) -> float:
    """Return the mean nDCG@10 over the queries of a collection."""
    keys = list(collection.documents)
    documents = encode([collection.documents[key] for key in keys])
    queries = encode(list(collection.queries.values()))
    ranked = np.argsort(-(queries @ documents.T), axis=1)[:, :DEPTH]
    return statistics.mean(
        ndcg([keys[place] for place in places], collection.relevant[query])
        for query, places in zip(collection.queries, ranked, strict=True)
    )
