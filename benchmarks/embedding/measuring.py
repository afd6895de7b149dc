"""Everybody on the texts of a collection, in turns."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedding.contender import Contender
from benchmarks.embedding.lengths import cut
from benchmarks.embedding.names import IN_REQUESTS, LIBRARY, NAME
from benchmarks.embedding.options import Options
from benchmarks.embedding.quality import ndcg_at_10
from benchmarks.embedding.rate import Rate, medians, slice_of, speed_up
from benchmarks.embedding.reference import Reference
from benchmarks.embedding.service import Service
from mlplatform.retrieval.collection import Collection

SHORT_QUERY = "what is the effect of heat transfer on wing {}"
"""A dozen tokens with a number in it."""
QUERIES = 300
COMPARED = 64
"""Texts whose vectors are compared with those of the library."""
Report = Callable[[str], None]


def measure(
    collection: Collection,
    entrants: Sequence[Contender],
    *,
    served: Service,
    reference: Reference,
    options: Options,
    report: Report,
) -> dict[str, Any]:
    """Measure everybody and return the figures."""
    texts = list(collection.documents.values())
    rates: dict[str, list[Rate]] = {entrant.name: [] for entrant in entrants}
    whole: dict[str, list[Rate]] = {entrant.name: [] for entrant in entrants}
    counts = []
    for number in range(options.rounds):
        report(f"speed, round {number + 1} of {options.rounds}")
        part = slice_of(texts, number, options.texts)
        for place in range(len(entrants)):
            entrant = entrants[(number + place) % len(entrants)]
            with entrant.awake():
                before = served.token_counts() if entrant.name == NAME else None
                rates[entrant.name].append(entrant.rate(cut(part, number)))
                if before is not None:
                    counts.append((before, served.token_counts()))
                whole[entrant.name].append(entrant.rate(part))
    padded = sum(after[0] - before[0] for before, after in counts)
    read = sum(after[1] - before[1] for before, after in counts)
    queries = [SHORT_QUERY.format(number) for number in range(QUERIES)]
    expected = reference.encode(texts[:COMPARED])
    found: dict[str, Any] = {}
    for entrant in entrants:
        report(f"queries: {entrant.name}")
        with entrant.awake():
            found[entrant.name] = {
                "settings": entrant.settings,
                **medians(rates[entrant.name]),
                "whole": medians(whole[entrant.name]),
                **_queries(entrant.milliseconds(queries)),
                **_likeness(entrant.encode(texts[:COMPARED]), expected),
            }
            if entrant.endpoint is not None:
                found[entrant.name]["resident_mib"] = round(entrant.endpoint.server.memory().resident)
    return {
        "contenders": found,
        "speed_up": _speed_ups(rates),
        "speed_up_whole": _speed_ups(whole),
        "tokens": {
            "mixed": reference.mean_tokens(cut(texts[: options.texts], 0)),
            "whole": reference.mean_tokens(texts[: options.texts]),
        },
        "padded_per_token": round(padded / read, 3),
        "query_tokens": reference.tokens(queries[0]),
        **(_quality(collection, entrants, found, report) if options.quality else {}),
    }


def _speed_ups(rates: dict[str, list[Rate]]) -> dict[str, dict[str, float]]:
    return {name: speed_up(rates[NAME], others) for name, others in rates.items() if name != NAME}


def _quality(
    collection: Collection, entrants: Sequence[Contender], found: dict[str, Any], report: Report
) -> dict[str, Any]:
    """Compare how well vectors find: of the library, of the service, and of the fastest other server."""
    others = [name for name in found if name not in (NAME, LIBRARY, IN_REQUESTS)]
    others = sorted(others, key=lambda name: -float(found[name]["texts_per_second"]))[:1]
    ndcg = {}
    for entrant in entrants:
        if entrant.name in (NAME, LIBRARY, *others):
            report(f"quality: {entrant.name}")
            with entrant.awake():
                ndcg[entrant.name] = round(ndcg_at_10(collection, entrant.encode), 4)
    return {"ndcg_at_10": ndcg}


def _queries(took: Sequence[float]) -> dict[str, float]:
    return {
        "query_ms_p50": round(statistics.median(took), 2),
        "query_ms_p95": round(statistics.quantiles(took, n=20)[18], 2),
    }


def _likeness(vectors: NDArray[np.float32], expected: NDArray[np.float32]) -> dict[str, float]:
    cosines = (vectors * expected).sum(axis=1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
    return {"cosine_mean": round(float(cosines.mean()), 4), "cosine_least": round(float(cosines.min()), 4)}
