#!/usr/bin/env python
"""How fast items get into the index: one that somebody waits for, and a file of them.

Against a running stack: `python benchmarks/search/indexing.py`. `--pause PID` holds the embedding node still while the
file is loaded, for the rate without the embedding that follows.
"""

import argparse
import json
import os
import random
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx

WORDS = 30_000
CHUNK = 64 * 1024
WARM_UP = 10
DELETED_AT_ONCE = 16


def main() -> int:
    """Measure and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("ML_SEARCH_URL", "http://127.0.0.1:9007"))
    parser.add_argument("--single", type=int, default=200, help="items that are waited for")
    parser.add_argument("--bulk", type=int, default=20_000, help="items in the file")
    parser.add_argument("--words", type=int, default=40, help="words in a text")
    parser.add_argument("--pause", type=int, help="process of the embedding node, held still while the file is loaded")
    parser.add_argument("--keep", action="store_true", help="leave the items in the index")
    options = parser.parse_args()
    kind = f"bench-{uuid4().hex[:8]}"
    words = Words(options.words)
    token = os.environ.get("ML_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=options.url, headers=headers, timeout=120, trust_env=False) as client:
        waits = wait_for_items(client, kind, options.single, words)
        seconds = load(client, kind, options.bulk, words, options.pause)
        if not options.keep:
            delete(client, kind, options.single + WARM_UP, options.bulk)
    figures = {
        "index_to_searchable_ms": {
            "items": len(waits),
            "p50": round(statistics.median(waits), 1),
            "p95": round(statistics.quantiles(waits, n=20)[-1], 1),
        },
        "bulk": {
            "items": options.bulk,
            "words_a_text": options.words,
            "items_per_second": round(options.bulk / seconds),
            "embedding": "paused" if options.pause else "running",
        },
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


class Words:
    """Texts whose words are as frequent as in natural language.

    Args:
        length: Words in a text.
    """

    def __init__(self, length: int) -> None:
        self._length = length
        self._random = random.Random(1)  # noqa: S311 - keeps no secret
        self._vocabulary = [f"w{number}" for number in range(WORDS)]
        self._weights = [1 / (rank + 1) for rank in range(WORDS)]

    def texts(self, count: int) -> list[str]:
        """Return so many texts."""
        drawn = self._random.choices(self._vocabulary, self._weights, k=count * self._length)
        return [" ".join(drawn[at : at + self._length]) for at in range(0, len(drawn), self._length)]


def wait_for_items(client: httpx.Client, kind: str, count: int, words: Words) -> list[float]:
    """Return how many milliseconds it took until each item could be found, one after the other."""
    waits = []
    for number, text in enumerate(words.texts(count + WARM_UP)):
        item = {"entity_type": kind, "entity_id": f"single-{number}", "text": text}
        started = time.perf_counter()
        answer = client.post("/api/v1/index", json={"items": [item], "wait": True})
        waits.append((time.perf_counter() - started) * 1000)
        answer.raise_for_status()
        if answer.json()["embedded"] != 1:
            raise RuntimeError(f"not embedded: {answer.text}")
    return waits[WARM_UP:]


def load(client: httpx.Client, kind: str, count: int, words: Words, pause: int | None) -> float:
    """Return how many seconds a file took until all of it was acknowledged."""
    body = b"".join(_line(kind, number, text) for number, text in enumerate(words.texts(count)))
    with paused(pause):
        started = time.perf_counter()
        answer = client.post(
            "/api/v1/index/bulk",
            content=(body[at : at + CHUNK] for at in range(0, len(body), CHUNK)),
            headers={"Content-Type": "application/x-ndjson"},
        )
        seconds = time.perf_counter() - started
    answer.raise_for_status()
    end = json.loads(answer.text.splitlines()[-1])
    if (end["status"], end["stored"]) != ("complete", count):
        raise RuntimeError(f"not stored: {end}")
    return seconds


def delete(client: httpx.Client, kind: str, single: int, bulk: int) -> None:
    """Delete what was indexed."""
    keys = [f"single-{number}" for number in range(single)] + [str(number) for number in range(bulk)]
    for at in range(0, len(keys), DELETED_AT_ONCE):
        query = [("entity_type", kind), *(("entity_id", key) for key in keys[at : at + DELETED_AT_ONCE])]
        client.delete("/api/v1/index", params=query).raise_for_status()


@contextmanager
def paused(process: int | None) -> Iterator[None]:
    """Hold a process still for the time of the block."""
    if process is None:
        yield
        return
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _line(kind: str, number: int, text: str) -> bytes:
    item = {
        "entity_type": kind,
        "entity_id": str(number),
        "text": text,
        "metadata": {"part": number % 100, "year": 2000 + number % 25},
        "tags": [f"t{number % 7}"],
    }
    return json.dumps(item).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
