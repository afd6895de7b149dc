"""Measure the embedding service against sentence-transformers: `python -m benchmarks.embedding --data DIR`.

Both encode the same texts in turns, a slice of a judged collection each round; figures are medians over the rounds.
No text is sent to the service twice while speed is measured. Exit code 1 when a target is missed.
"""

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.embedding import service
from benchmarks.embedding.ladder import climb
from benchmarks.embedding.quality import ndcg_at_10
from benchmarks.embedding.reference import Rate, Reference
from benchmarks.embedding.service import Service
from benchmarks.serving.backing import backing
from mlplatform.retrieval.collection import Collection, CollectionError, read_collection

RESULTS = Path(__file__).resolve().parents[1] / "results"
SHORT_QUERY = "what is the effect of heat transfer on wing {}"
"""A dozen tokens with a number in it."""
QUERIES = 300
PER_REQUEST, CONNECTIONS = 64, 4
Report = Callable[[str], None]
TARGETS = {
    "speed_up": ("at least", 8.0),
    "padded_per_token": ("at most", 1.25),
    "query_ms_p50": ("at most", 5.0),
    "ndcg_ratio": ("at least", 0.995),
}


def main() -> int:
    """Run the command line."""
    options = _options()
    console = Console()
    try:
        collection = read_collection(options.data)
    except CollectionError as error:
        console.print(f"[red]{error}[/red]")
        return 2
    report = console.print
    with (
        backing(options.stack_env, report) as settings,
        tempfile.TemporaryDirectory(prefix="mlp-bench-") as folder,
        service.running(settings, Path(folder), options.backend) as served,
    ):
        figures = _measure(collection, served, options, report)
    if options.ladder:
        figures["ladder"] = climb(
            _slice(list(collection.documents.values()), 0, options.texts),
            threads=os.cpu_count() or 1,
            rounds=options.rounds,
            report=report,
        )
    name = options.data.resolve().name
    figures = {"collection": name, "date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), **figures}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"embedding-{name}.json"
    path.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    missed = _show(console, figures)
    console.print(f"written to {path.relative_to(RESULTS.parents[1])}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the embedding service against sentence-transformers.")
    parser.add_argument("--data", type=Path, required=True, help="folder in the layout of BEIR")
    parser.add_argument("--stack-env", type=Path, help="settings of a running stack; without it one is started")
    parser.add_argument("--backend", default="auto", help="what the service is to compute with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--texts", type=int, default=320, help="texts of one round")
    parser.add_argument("--no-quality", dest="quality", action="store_false", help="skip nDCG, which takes longest")
    parser.add_argument("--ladder", action="store_true", help="measure each backend by itself as well")
    return parser.parse_args()


def _measure(collection: Collection, served: Service, options: argparse.Namespace, report: Report) -> dict[str, Any]:
    reference = Reference()
    texts = list(collection.documents.values())
    served.rate(["warm up"], per_request=1, connections=1)
    ours: list[Rate] = []
    one_call: list[Rate] = []
    requests: list[Rate] = []
    before = served.token_counts()
    for number in range(options.rounds):
        report(f"speed, round {number + 1} of {options.rounds}")
        part = _slice(texts, number, options.texts)
        ours.append(served.rate(part, per_request=PER_REQUEST, connections=CONNECTIONS))
        one_call.append(reference.rate(part))
        requests.append(reference.rate_in_requests(part))
    after = served.token_counts()
    report("queries")
    queries = [SHORT_QUERY.format(number) for number in range(QUERIES)]
    took = served.milliseconds(queries)
    alone = [reference.milliseconds(query) for query in queries[:50]]
    memory = served.server.memory().resident
    quantiles = statistics.quantiles(took, n=20)
    return {
        "texts_per_round": options.texts,
        "rounds": options.rounds,
        "encoder": served.info()["encoder"],
        "ready_seconds": round(served.ready_seconds, 1),
        "chosen_seconds": round(served.chosen_seconds, 1),
        "resident_mib": round(memory),
        "service": _medians(ours),
        "library": _medians(one_call),
        "library_in_requests_of_32": _medians(requests),
        "speed_up": _ratio(ours, one_call)[0],
        "speed_up_in_requests": _ratio(ours, requests)[0],
        "speed_up_by_processor_time": _ratio(ours, one_call)[1],
        "speed_up_in_requests_by_processor_time": _ratio(ours, requests)[1],
        "padded_per_token": round((after[0] - before[0]) / (after[1] - before[1]), 3),
        "query_tokens": reference.tokens(queries[0]),
        "query_ms_p50": round(statistics.median(took), 2),
        "query_ms_p95": round(quantiles[18], 2),
        "library_query_ms_p50": round(statistics.median(alone), 2),
        **(_quality(collection, served, reference, report) if options.quality else {}),
    }


def _quality(collection: Collection, served: Service, reference: Reference, report: Report) -> dict[str, float]:
    report("quality")
    expected = ndcg_at_10(collection, reference.encode)
    found = ndcg_at_10(collection, lambda texts: served.encode(texts, per_request=PER_REQUEST, connections=CONNECTIONS))
    return {
        "ndcg_fp32": round(expected, 4),
        "ndcg_service": round(found, 4),
        "ndcg_ratio": round(found / expected, 4),
    }


def _medians(rates: Sequence[Rate]) -> dict[str, float]:
    return {
        "texts_per_second": round(statistics.median(rate.second for rate in rates), 1),
        "texts_per_processor_second": round(statistics.median(rate.processor_second for rate in rates), 1),
    }


def _ratio(rates: Sequence[Rate], others: Sequence[Rate]) -> tuple[float, float]:
    """Return the medians of the ratios of each round, by the clock and by processor time."""
    pairs = list(zip(rates, others, strict=True))
    return (
        round(statistics.median(rate.second / other.second for rate, other in pairs), 2),
        round(statistics.median(rate.processor_second / other.processor_second for rate, other in pairs), 2),
    )


def _slice(texts: list[str], number: int, size: int) -> list[str]:
    start = (number * size) % len(texts)
    return (texts[start:] + texts[:start])[:size]


def _show(console: Console, figures: dict[str, Any]) -> bool:
    """Print the figures; return whether a target is missed."""
    table = Table("figure", "value", "target", title=f"embedding, {figures['collection']}")
    missed = False
    for name, value in figures.items():
        if isinstance(value, dict) and "texts_per_second" in value:
            table.add_row(name, "{texts_per_second} texts/s".format(**value), "")
        if isinstance(value, dict | list):
            continue
        words, target = TARGETS.get(name, ("", 0.0))
        wrong = (words == "at least" and value < target) or (words == "at most" and value > target)
        missed |= wrong
        table.add_row(name, f"[red]{value}[/red]" if wrong else str(value), f"{words} {target:g}" if words else "")
    console.print(table)
    steps = Table("backend", "texts/s", "query ms", "cosine", "refused", title="backends, as the service tried them")
    for trial in figures["encoder"]["choice"]["trials"]:
        row = (trial[key] for key in ("backend", "texts_per_second", "query_milliseconds", "cosine", "refused"))
        steps.add_row(*("" if value is None else str(value) for value in row))
    console.print(steps)
    if "ladder" in figures:
        rungs = Table("backend", "texts/s", "query ms", title="backends on the collection, without HTTP")
        for rung in figures["ladder"]:
            rungs.add_row(*map(str, rung.values()))
        console.print(rungs)
    return missed


if __name__ == "__main__":
    sys.exit(main())
