"""A large CSV scored as a job and by a script of pandas, in turns; both write Parquet."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from benchmarks.batch.bucket import Bucket
from benchmarks.batch.desk import PATIENCE, Desk, JobError, at_once
from benchmarks.batch.memory import HELPER, MAIN, SCORER, Peaks, watching
from benchmarks.batch.models import COLUMNS, NAMES, Published
from benchmarks.batch.nodes import ROOT, Nodes

SCRIPT = Path(__file__).parent / "apps" / "score_table.py"
TABLE = "/api/v1/batch/table"
TENANT = "tables"
KEY, SCRIPT_KEY = f"tables/{TENANT}/table.csv", f"tables/{TENANT}/script.parquet"
PART = 100_000
SMALL = 10
"""The table of the first job has this part of the rows; its memory tells whether the size matters."""
PAUSE = 0.05
MB = 10**6
SEED = 6


def measure(
    nodes: Nodes,
    model: Published,
    folder: Path,
    bucket: Bucket,
    *,
    rows: int,
    rounds: int,
    tracking: str,
    step: Callable[[], None],
) -> dict[str, Any]:
    """Measure job and script in turns, on an object of the store and on a file that the job has to be sent first.

    Args:
        nodes: The services.
        model: Of 30 columns.
        folder: For the tables.
        bucket: Of the services.
        rows: Of the table.
        rounds: Of both.
        tracking: Where MLflow is, for the script.
        step: Called after each round, and once before the first.
    """
    small, table = folder / "small.csv", folder / "table.csv"
    write_table(small, max(1, rows // SMALL))
    write_table(table, rows)
    bucket.put(KEY, table)
    desk, results = Desk.of(nodes, TENANT), folder / "job.parquet"
    with watching(nodes.worker) as first:
        at_once(lambda: _upload(desk, model, small, Path(os.devnull)), nodes.processes)
    step()
    stored, uploaded = [], []
    with watching(nodes.worker) as peaks:
        for _ in range(rounds):
            script = _run_script(model, bucket.readable(KEY), bucket.writable(SCRIPT_KEY), tracking)
            stored.append((_score_stored(desk, model), script))
            script = _run_script(model, str(table), str(folder / "script.parquet"), tracking)
            uploaded.append((_upload(desk, model, table, results), script))
            step()
    bucket.fetch(SCRIPT_KEY, folder / "stored.parquet")
    expected, same = (_predictions(folder / name) for name in ("script.parquet", "stored.parquet"))
    found = _predictions(results)
    return {
        "rows": rows,
        "columns": COLUMNS,
        "csv_mb": round(table.stat().st_size / MB, 1),
        "same_answers": np.array_equal(found, expected) and np.array_equal(same, expected),
        "stored": _compare(stored),
        "uploaded": _compare(uploaded),
        "memory_mb": _memory(peaks),
        "small": {"rows": max(1, rows // SMALL), "memory_mb": _memory(first)},
    }


def _compare(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {
        "job_seconds": [round(job, 2) for job, _ in pairs],
        "script_seconds": [round(script, 2) for _, script in pairs],
        "ratio": round(statistics.median(script / job for job, script in pairs), 3),
    }


def _predictions(path: Path) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = pq.read_table(path).column("prediction").to_numpy()
    return found


def write_table(path: Path, rows: int) -> None:
    """Write a table of normal numbers, a part at a time."""
    chance = np.random.default_rng(SEED)
    for start in range(0, rows, PART):
        part = pd.DataFrame(chance.normal(size=(min(PART, rows - start), COLUMNS)), columns=NAMES)
        part.to_csv(path, index=False, mode="a", header=start == 0)


def _memory(peaks: Peaks) -> dict[str, list[float]]:
    """Return the most that each process has held since it was started, by what it is."""
    return {kind: [round(one / MB, 1) for one in peaks.of(kind)] for kind in (MAIN, HELPER, SCORER)}


def _run_script(model: Published, source: str, target: str, tracking: str) -> float:
    """Return the seconds of a script, without the import of its libraries and the loading of the model."""
    answer = subprocess.run(
        [sys.executable, SCRIPT, model.uri, source, target],
        env=os.environ | {"MLFLOW_TRACKING_URI": tracking, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout.split()[-1])


def _score_stored(desk: Desk, model: Published) -> float:
    """Return the seconds from the request until the results of a table in the store are there too."""
    begun = time.perf_counter()
    _written(desk, desk.submit(TABLE, params={"model": model.name, "key": KEY, "format": "csv"}))
    return time.perf_counter() - begun


def _upload(desk: Desk, model: Published, table: Path, output: Path) -> float:
    """Return the seconds from the beginning of the upload until the results are on the disk."""
    begun = time.perf_counter()
    headers = {"content-type": "text/csv"}
    with table.open("rb") as content:
        job = desk.submit(TABLE, content=content, params={"model": model.name}, headers=headers)
    address = _written(desk, job)
    with httpx.stream("GET", address, trust_env=False) as answer, output.open("wb") as file:
        for part in answer.raise_for_status().iter_bytes():
            file.write(part)
    return time.perf_counter() - begun


def _written(desk: Desk, job: str) -> str:
    """Wait for the results of a job, and return where they are."""
    deadline = time.monotonic() + PATIENCE
    while (found := desk.get(f"{job}/results.parquet")).status_code == httpx.codes.CONFLICT:
        if time.monotonic() > deadline:
            raise JobError(f"no results: {desk.look(job)}")
        time.sleep(PAUSE)
    if found.status_code != httpx.codes.TEMPORARY_REDIRECT:
        raise JobError(f"{found.text} {desk.look(job)}")
    if (state := desk.look(job))["failed"] or state["state"] != "completed":
        raise JobError(f"not every row was scored: {state}")
    return str(found.headers["location"])
