"""How well a space answers judged queries, against the one that is searched."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from mlplatform.database import Database
from mlplatform.retrieval.collection import Judgements
from mlplatform.retrieval.measures import ndcg
from mlplatform.spaces import repository
from mlplatform.spaces.probes import Probe, Progress
from mlplatform.spaces.space import Space

DEPTH = 10
BATCH = 64

Embed = Callable[[Sequence[str], str], Awaitable[Sequence[Sequence[float]]]]
"""Embeds texts with the weights of a digest."""


async def probe_judged(
    database: Database,
    space: Space,
    active: Space,
    judged: Judgements,
    embed: Embed,
    *,
    tenant: str,
    entity_type: str | None,
    tolerance: float,
    progress: Progress | None = None,
) -> Probe:
    """Compare nDCG@10 of exact search in both spaces. Nothing but the models makes a difference there.

    Args:
        database: Where the vectors are.
        space: The space to look at.
        active: The space that is searched.
        judged: Queries, and the ids of the items that are relevant.
        embed: Embeds queries.
        tenant: Whose items.
        entity_type: Kind of the items; None for any.
        tolerance: How far nDCG@10 may be below that of the active space.
        progress: Is told of each query.
    """
    means = {}
    for each in (active, space):
        vectors = await _embed(judged.queries, each, embed)
        scores = []
        for number, (key, vector) in enumerate(vectors.items(), start=1):
            async with database.transaction(tenant) as connection:
                hits = await repository.search_exact(connection, each.id, vector, DEPTH, entity_type)
            scores.append(ndcg([entity_id for _, entity_id, _ in hits], judged.relevant[key], DEPTH))
            if progress is not None:
                progress(f"judged queries in space {each.id}", number, len(vectors))
        means[each.id] = sum(scores) / len(scores)
    fresh, former = means[space.id], means[active.id]
    if not any(means.values()):
        finding = "no relevant item was found in either space: are the ids those of items of this tenant and kind?"
        return Probe("judged", passed=False, finding=finding, value=0.0)
    finding = f"nDCG@{DEPTH} is {fresh:.4f}, in the active space {former:.4f}, over {len(judged.queries):,} queries"
    return Probe("judged", fresh >= former - tolerance, finding, fresh)


async def _embed(queries: Mapping[str, str], space: Space, embed: Embed) -> dict[str, str]:
    """Return the vector of each query as pgvector reads it."""
    keys = list(queries)
    found: dict[str, str] = {}
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        vectors = await embed([queries[key] for key in batch], space.digest)
        for key, vector in zip(batch, vectors, strict=True):
            found[key] = "[" + ",".join(map(repr, vector)) + "]"
    return found
