"""Measure search: recall under filters, and the time of hybrid queries with several clients.

    python benchmarks/search/run.py [--sizes 10000,100000] [--clients 4] [--queries 600]

Makes a database of its own in the running stack's Postgres, fills it with synthetic items (`corpus.py`), runs a search
service on it, and drops it at the end. Embeddings come from the stack's embedding service. Times are those of a caller
over HTTP, embedding included, without the cache. Writes benchmarks/results/search.json.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from corpus import TAGS, Corpus, Floats
from rich.console import Console
from rich.table import Table
from service import Caller, embed, measure, search_service
from store import database, fill, literal, vectors_of
from usual import usual_sql

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "stack"))
from machine import describe

from mlplatform.settings import PlatformSettings

RESULTS = Path(__file__).resolve().parents[1] / "results" / "search.json"
RECALL_QUERIES = 100
DEPTH = 10
ROUNDING = 1e-4
"""Of similarities: neighbours that are no farther than this from the tenth are as true as it is."""


def main() -> int:
    """Run the command line."""
    options = _options()
    console = Console()
    settings = PlatformSettings()
    admin = os.environ.get("ML_DATABASE_ADMIN_URL")
    if admin is None or settings.database_owner_url is None:
        console.print("[red]ML_DATABASE_ADMIN_URL and ML_DATABASE_OWNER_URL must be set: run mlp up[/red]")
        return 2
    embedding_url = options.embedding_url or str(settings.embedding_url)
    result: dict[str, Any] = {"machine": describe(), "clients": options.clients, "sizes": {}}
    for size in options.sizes:
        name = f"bench_search_{size}"
        urls = (admin, settings.database_owner_url.get_secret_value(), settings.database_url.get_secret_value())
        with database(*urls, name, keep=options.keep) as (owner_url, app_url, is_new):
            corpus = Corpus(size)
            corpus.centres, model = embed(embedding_url, corpus.topic_texts())
            seconds = fill(owner_url, corpus, model) if is_new else {}
            queries = corpus.queries(RECALL_QUERIES + options.queries)
            vectors, _ = embed(embedding_url, queries[:RECALL_QUERIES])
            with (
                tempfile.TemporaryDirectory() as folder,
                search_service(app_url, embedding_url, options.port, Path(folder) / "search.log") as url,
            ):
                figures = {
                    "load_seconds": seconds,
                    "filters": _recall(corpus, queries[:RECALL_QUERIES], vectors, url, owner_url),
                    "queries": {
                        name: measure(partial(_asking, url, body), queries[RECALL_QUERIES:], options.clients)
                        for name, body in BODIES.items()
                    },
                }
        result["sizes"][str(size)] = figures
        _show(console, size, figures)
    RESULTS.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.print(f"written to {RESULTS.relative_to(RESULTS.parents[2])}")
    return 0


def _recall(corpus: Corpus, queries: Sequence[str], vectors: Floats, url: str, owner_url: str) -> dict[str, Any]:
    """Compare answers with the exact ones, for each share of items that meet a filter."""
    stored, tags = vectors_of(corpus)
    caller, usual = Caller(url), usual_sql(owner_url, "embeddings_1")
    rows: dict[str, Any] = {}
    for tag in TAGS:
        matching = np.flatnonzero(tags[tag])
        wanted = min(DEPTH, len(matching))
        found, plain, short, strategies = [], [], 0, set()
        for query, vector in zip(queries, vectors, strict=True):
            similarities = stored[matching].astype(np.float32) @ vector
            least = np.partition(similarities, -wanted)[-wanted]
            near = {f"{matching[place]:08}" for place in np.flatnonzero(similarities >= least - ROUNDING)}
            answer = caller.post("/api/v1/search", {"query": query, "mode": "vector", "tags": [tag], "content": False})
            ids = [hit["entity_id"] for hit in answer["results"]]
            short += len(ids) < wanted
            strategies.add(answer["strategy"])
            found.append(len(near.intersection(ids)) / wanted)
            plain.append(len(near.intersection(usual(literal(vector), tag))) / wanted)
        rows[tag] = {
            "recall_at_10": round(float(np.mean(found)), 4),
            "short_answers": short,
            "strategies": sorted(strategies),
            "usual_sql_recall_at_10": round(float(np.mean(plain)), 4),
        }
    return rows


BODIES: dict[str, dict[str, object]] = {
    "hybrid": {},
    "vector": {"mode": "vector"},
    "lexical": {"mode": "lexical"},
    **{f"hybrid, filter {tag}": {"tags": [tag]} for tag in TAGS if tag != "all"},
}


def _asking(url: str, body: dict[str, object]) -> Callable[[str], dict[str, Any]]:
    caller = Caller(url)
    return lambda query: caller.post("/api/v1/search", {"query": query, **body})


def _show(console: Console, size: int, figures: dict[str, Any]) -> None:
    table = Table("filter", "recall@10", "usual SQL", "short", "strategy", title=f"{size:,} items")
    for tag, row in figures["filters"].items():
        table.add_row(
            f"{TAGS[tag]:.1%}",
            f"{row['recall_at_10']:.3f}",
            f"{row['usual_sql_recall_at_10']:.3f}",
            str(row["short_answers"]),
            ", ".join(row["strategies"]),
        )
    console.print(table)
    table = Table("query", "p50 ms", "p95 ms", "per second")
    for name, row in figures["queries"].items():
        table.add_row(name, *(str(value) for value in row.values()))
    console.print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure search on synthetic items.")
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=[10_000, 100_000])
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--queries", type=int, default=600, help="queries of each timing")
    parser.add_argument("--port", type=int, default=19107, help="of the search service that is measured")
    parser.add_argument("--embedding-url", help="default: that of the stack")
    parser.add_argument("--keep", action="store_true", help="keep the databases for the next run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
