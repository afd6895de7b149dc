"""What a ranking would be with another weight, worked out from one answer."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from mlplatform.retrieval.client import SearchClient
from mlplatform.retrieval.measures import ndcg

STEPS = 20
WEIGHTS = tuple(step / STEPS for step in range(STEPS + 1))
CANDIDATES = 1000


class Share(NamedTuple):
    """What vectors and words give a document, before their weights."""

    key: str
    vector: float
    lexical: float


def read_shares(api: SearchClient, query: str) -> tuple[list[Share], float]:
    """Ask a query; return what both legs give each candidate, and the weight in use."""
    _, answer = api.search(query, CANDIDATES, explain=True)
    return [_share(result) for result in answer["results"]], answer["explain"]["weight"]


def ndcg_by_weight(shares: Sequence[Share], relevant: Collection[str]) -> list[float]:
    """Return nDCG@10 of a query for each of `WEIGHTS`."""
    return [ndcg(rank(shares, weight), relevant) for weight in WEIGHTS]


def rank(shares: Sequence[Share], weight: float) -> list[str]:
    """Return the candidates as the service would order them with this weight of the vectors."""
    ordered = sorted(shares, key=lambda share: (-(weight * share.vector + (1 - weight) * share.lexical), share.key))
    return [share.key for share in ordered]


def _share(result: Mapping[str, Any]) -> Share:
    explained = result["explain"]
    return Share(result["entity_id"], explained["vector"]["share"], explained["lexical"]["share"])
