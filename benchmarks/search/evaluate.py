"""Measure the quality of search on a judged collection, through the API of a running stack.

    python benchmarks/search/evaluate.py --data DIR [--at-least 0.50] [--clean]

Indexes the documents, waits until the embedding service has taken all of them from the stream, asks every query, and
writes nDCG@10 and recall@100 to benchmarks/results/search-<name>.json. Exit code 1 when nDCG@10 is below `--at-least`,
2 when it could not be measured. With authentication on, `ML_TOKEN` needs the roles to index and to search.
"""

import argparse
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
from client import SearchApi, ServiceError
from collection import Collection, CollectionError, read_collection
from measures import ndcg, recall
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mlplatform.settings import PlatformSettings

RESULTS = Path(__file__).resolve().parents[1] / "results"
DEPTH = 100
POLL_SECONDS = 0.5


class EmbeddingTimeoutError(Exception):
    """Documents were not embedded in time."""


def main() -> int:
    """Run the command line."""
    options = _options()
    console = Console()
    name = options.data.resolve().name
    url = options.url or PlatformSettings().search_url
    api = SearchApi(url, os.environ.get("ML_TOKEN"), f"eval-{name}")
    try:
        collection = read_collection(options.data)
        figures = _measure(console, api, collection, options.timeout)
        if options.clean:
            console.print(f"deleted {api.delete(list(collection.documents))} items")
    except (CollectionError, ServiceError, EmbeddingTimeoutError) as error:
        console.print(f"[red]{error}[/red]")
        return 2
    passed = figures["ndcg_at_10"] >= options.at_least
    _show(console, name, figures, options.at_least)
    RESULTS.mkdir(exist_ok=True)
    result = {"collection": name, "date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), **figures}
    path = RESULTS / f"search-{name}.json"
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.print(f"written to {path.relative_to(RESULTS.parents[1])}")
    return 0 if passed else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the quality of search on a folder in the layout of BEIR.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the layout of BEIR")
    parser.add_argument("--at-least", type=float, default=0.0, help="nDCG@10 below which the exit code is 1")
    parser.add_argument("--url", help="search service; default: ML_SEARCH_URL, else that of the stack")
    parser.add_argument("--timeout", type=float, default=600, help="seconds to wait for the embeddings")
    parser.add_argument("--clean", action="store_true", help="delete the documents afterwards")
    return parser.parse_args()


def _measure(console: Console, api: SearchApi, collection: Collection, timeout: float) -> dict[str, float]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        started = time.perf_counter()
        task = progress.add_task("index", total=len(collection.documents))
        for stored in api.index(collection.documents):
            progress.advance(task, stored)
        stored_after = time.perf_counter() - started
        failed = _wait_until_embedded(progress, api, list(collection.documents), timeout)
        embedded_after = time.perf_counter() - started
        scores, recalls, milliseconds, incomplete = [], [], [], 0
        for key, query in progress.track(collection.queries.items(), description="search"):
            asked = time.perf_counter()
            ranking, answer = api.search(query, DEPTH)
            milliseconds.append((time.perf_counter() - asked) * 1000)
            incomplete += not answer["complete"]
            scores.append(ndcg(ranking, collection.relevant[key]))
            recalls.append(recall(ranking, collection.relevant[key], DEPTH))
    quantiles = statistics.quantiles(milliseconds, n=20) if len(milliseconds) > 1 else milliseconds * 20
    return {
        "documents": len(collection.documents),
        "empty_documents": len(collection.empty),
        "failed_documents": failed,
        "queries": len(collection.queries),
        "incomplete_answers": incomplete,
        "ndcg_at_10": round(statistics.mean(scores), 4),
        "recall_at_100": round(statistics.mean(recalls), 4),
        "store_seconds": round(stored_after, 1),
        "embed_seconds": round(embedded_after, 1),
        "query_ms_p50": round(statistics.median(milliseconds), 1),
        "query_ms_p95": round(quantiles[18], 1),
    }


def _wait_until_embedded(progress: Progress, api: SearchApi, keys: list[str], timeout: float) -> int:
    """Ask for one pending document after the other until there is none.

    Returns:
        How many documents the model could not take.
    """
    deadline = time.monotonic() + timeout
    task = progress.add_task("embed", total=len(keys))
    failed = 0
    for key in keys:
        while (state := api.state(key)) == "pending":
            if time.monotonic() > deadline:
                raise EmbeddingTimeoutError(f"not all documents were embedded within {timeout:g} s; see --timeout")
            time.sleep(POLL_SECONDS)
        failed += state == "failed"
        progress.advance(task)
    return failed


def _show(console: Console, name: str, figures: dict[str, float], at_least: float) -> None:
    table = Table("figure", "value", title=f"search on {name}")
    for figure, value in figures.items():
        mark = f" (at least {at_least:g})" if figure == "ndcg_at_10" and at_least else ""
        table.add_row(figure, f"{value}{mark}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
