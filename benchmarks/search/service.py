"""This platform as a caller sees it: over HTTP, a text in, results out, the embedding of the query included."""

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.search import indexing, store
from benchmarks.search.cells import Cell
from benchmarks.search.clients import FAILED, Ask, Caller, RefusedError, Timing, measure
from benchmarks.search.nodes import Node

NAME = "ml-platform"
SEARCH = "/api/v1/search"
SINGLE_TIMEOUT = 300.0


def nearest(node: Node, queries: Sequence[str], tag: str) -> tuple[list[list[int]], list[str]]:
    """Return the items that vectors find for each query, and the strategies that were chosen."""
    caller = Caller(node.url)
    found, strategies = [], set()
    for query in queries:
        body = {"query": query, "mode": "vector", "tags": [tag], "content": False}
        try:
            answer = caller.post(SEARCH, body)
        except RefusedError:  # as one that finds nothing: both figures show it
            found.append([])
            strategies.add("failed")
            continue
        found.append([int(hit["entity_id"]) for hit in answer["results"]])
        strategies.add(answer["strategy"])
    return found, sorted(strategies)


def ask(node: Node, cell: Cell, queries: Sequence[str], *, clients: int, wanted: int) -> Timing:
    """Let some clients ask queries; results come with their texts."""
    body = {"mode": cell.mode} | ({} if cell.tag is None else {"tags": [cell.tag]})
    return measure(partial(_asking, node.url, body), queries, clients=clients, wanted=wanted)


def fused(node: Node, exact: Node, queries: Sequence[str]) -> dict[str, Any]:
    """Return how many of the ten results of hybrid queries are those of a service that compares every vector."""
    asked, compared = Caller(node.url), Caller(exact.url)
    shares, strategies = [], set()
    for query in queries:
        body = {"query": query, "content": False}
        true, seen = compared.post(SEARCH, body), asked.post(SEARCH, body)
        if true["strategy"] != "exact" or true["degraded"] or seen["degraded"]:
            raise RefusedError(
                f"{query!r} was not compared with every vector, or answered without a part of the search"
            )
        keys = {hit["entity_id"] for hit in true["results"]}
        strategies.add(seen["strategy"])
        shares.append(sum(hit["entity_id"] in keys for hit in seen["results"]) / max(len(keys), 1))
    return {
        "queries": len(queries),
        "recall_at_10": round(statistics.fmean(shares), 4),
        "strategies": sorted(strategies),
    }


def embed(node: Node, queries: Sequence[str], *, clients: int) -> Timing:
    """Let some clients embed queries and do nothing else."""

    def make() -> Ask:
        caller = Caller(node.url)
        return lambda query: len(caller.embed(query))

    return measure(make, queries, clients=clients, wanted=0)


def index(search: Node, embedding: Node, owner_url: str, *, single: int, bulk: int) -> dict[str, Any]:
    """Measure how long an item takes until it is found, and how fast a file is stored while nothing is embedded.

    The items are deleted again.

    Args:
        search: The search service.
        embedding: The embedding service, held still while the file is stored.
        owner_url: The database, as its owner.
        single: Items that are waited for, one after the other.
        bulk: Items of the file.
    """
    kind = f"bench-{uuid4().hex[:8]}"
    words = indexing.Words(length=40)
    with httpx.Client(base_url=search.url, timeout=SINGLE_TIMEOUT, trust_env=False) as client:
        try:
            waits = indexing.wait_for_items(client, kind, single, words)
            embedding.server.halt()
            seconds = indexing.load(client, kind, bulk, words, None)
        finally:
            # Before the embedding service goes on: it would embed what is not needed.
            store.delete(owner_url, kind)
            embedding.server.go_on()
    return {
        "wait_ms": {
            "items": len(waits),
            "p50": round(statistics.median(waits), 1),
            "p95": round(statistics.quantiles(waits, n=20)[18], 1),
        },
        "bulk": {"items": bulk, "items_per_second": round(bulk / seconds)},
    }


def _asking(url: str, body: Mapping[str, Any]) -> Ask:
    caller = Caller(url)

    def ask(query: str) -> int:
        try:
            answer = caller.post(SEARCH, {"query": query, **body})
        except RefusedError:
            return FAILED
        return FAILED if answer["degraded"] else len(answer["results"])

    return ask
