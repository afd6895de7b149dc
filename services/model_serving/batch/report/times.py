"""How long a job took, and its chunks and items."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from psycopg.rows import DictRow

SHARES = {"p50": 0.5, "p95": 0.95}


def times(job: DictRow, chunks: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """Return how long a job waited and took; nothing of what did not happen.

    Args:
        job: The job.
        chunks: How many items each chunk had that was scored, and how many seconds it took.
    """
    created, started, finished = job["created_at"], job["started_at"], job["finished_at"]
    run = None if started is None or finished is None else (finished - started).total_seconds()
    done = job["succeeded"] + job["failed"]
    return {
        "created_at": created,
        "started_at": started,
        "finished_at": finished,
        "wait_seconds": None if started is None else (started - created).total_seconds(),
        "run_seconds": run,
        "items_per_second": done / run if run else None,
        "chunk_seconds": percentiles([(1, seconds) for _, seconds in chunks]),
        "item_seconds": percentiles([(items, seconds / items) for items, seconds in chunks]),
    }


def percentiles(measured: Sequence[tuple[int, float]]) -> dict[str, float] | None:
    """Return the times that half of them, and 95 in 100, did not exceed (nearest rank); None of none.

    Args:
        measured: How many took how many seconds each.
    """
    if not measured:
        return None
    counts, seconds = np.array(sorted(measured, key=lambda one: one[1])).T
    ranks = np.cumsum(counts)
    return {name: float(seconds[np.searchsorted(ranks, share * ranks[-1])]) for name, share in SHARES.items()}
