"""Score a large CSV as a batch job and with a pandas script that reads and writes the same; compare the throughput.

It needs a running Postgres, Redis, S3 and MLflow, named by `ML_*` in the environment, in a database of its own: jobs
stay there. Serving and a worker are started here, the worker with one process for each core.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry
from mlplatform.stack.ports import choose_port

COLUMNS = 30
LEAST = 0.7
"""Of the script's throughput."""
MOST_MIB = 600
"""Of memory, for each process of the worker."""
MIB = 2**20
SCRIPT = """
import sys, mlflow.sklearn, pandas as pd
model = mlflow.sklearn.load_model(sys.argv[1])
table = pd.read_csv(sys.argv[2])
pd.DataFrame({"prediction": model.predict(table)}).to_parquet(sys.argv[3], index=False)
"""


def main() -> int:
    """Measure, print and return 1 when a figure misses its target."""
    options = _parse()
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name:
        folder = Path(name)
        table, model = folder / "table.csv", f"benchmark-{os.getpid()}"
        uri, version = _prepare(table, model, options.rows)
        query = {"model": model, "version": version}
        script = [_run_script(uri, table, folder) for _ in range(options.rounds)]
        with _running(folder, options.processes) as (client, worker):
            job = [_run_job(client, worker, table, query, folder / "job.parquet") for _ in range(options.rounds)]
        expected = pd.read_parquet(folder / "script.parquet")["prediction"].to_numpy()
        found = pq.read_table(folder / "job.parquet").column("prediction").to_numpy()
        np.testing.assert_array_equal(found, expected)
        figures = {
            "rows": options.rows,
            "csv_mib": round(table.stat().st_size / MIB, 1),
            "script_seconds": [round(seconds, 2) for seconds in script],
            "job_seconds": [round(seconds, 2) for seconds, _ in job],
            "throughput_ratio": round(min(script) / min(seconds for seconds, _ in job), 2),
            "largest_process_mib": round(max(memory for _, memory in job) / MIB),
        }
    print(json.dumps(figures, indent=2))
    return int(figures["throughput_ratio"] < LEAST or figures["largest_process_mib"] > MOST_MIB)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    return parser.parse_args()


def _prepare(table: Path, name: str, rows: int) -> tuple[str, str]:
    """Write the table, register the model, and return its address and version."""
    generator = np.random.default_rng(5)
    names = [f"x{place}" for place in range(COLUMNS)]
    sample = pd.DataFrame(generator.normal(size=(5_000, COLUMNS)), columns=names)
    labels = (sample.to_numpy() @ generator.normal(size=COLUMNS) > 0).astype(int)
    model = LogisticRegression().fit(sample, labels)
    for start in range(0, rows, 100_000):
        part = pd.DataFrame(generator.normal(size=(min(100_000, rows - start), COLUMNS)), columns=names)
        part.to_csv(table, index=False, mode="a", header=start == 0)
    mlflow.set_tracking_uri(os.environ["ML_MLFLOW_URL"])
    mlflow.set_experiment("benchmark")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(sample, model.predict(sample)),
            input_example=sample.head(2),
            pip_requirements=[],
        )
    version = register_model_version(Registry(os.environ["ML_MLFLOW_URL"]), name, logged.model_uri)
    return logged.model_uri, version.version


def _run_script(uri: str, table: Path, folder: Path) -> float:
    """Return the seconds of a script from its start to its end, the import of its libraries and the model left out."""
    timed = SCRIPT.replace("table = ", "import time; begin = time.perf_counter(); table = ", 1)
    command = [
        sys.executable,
        "-c",
        f"{timed}print(time.perf_counter() - begin)",
        uri,
        table,
        folder / "script.parquet",
    ]
    environment = os.environ | {"MLFLOW_TRACKING_URI": os.environ["ML_MLFLOW_URL"]}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(answer.stdout.split()[-1])


def _run_job(
    client: httpx.Client, worker: psutil.Process, table: Path, query: dict[str, str], output: Path
) -> tuple[float, int]:
    """Return the seconds from the upload to the results, and the bytes of the largest process of the worker."""
    with _watched(worker) as largest:
        begin = time.perf_counter()
        with table.open("rb") as content:
            answer = client.post(
                "/api/v1/batch/table",
                content=content,
                params=query,
                headers={"content-type": "text/csv"},
            )
        place = answer.raise_for_status().headers["location"]
        while (found := client.get(f"{place}/results.parquet")).status_code == 409:
            time.sleep(0.05)
        content_of = httpx.get(found.headers["location"]).content if found.status_code == 307 else found.text
        seconds = time.perf_counter() - begin
    if isinstance(content_of, str):
        sys.exit(f"{content_of} {client.get(place).text}")
    output.write_bytes(content_of)
    return seconds, largest[0]


@contextmanager
def _running(folder: Path, processes: int) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """Run serving and a worker for the time of the block."""
    first = choose_port(())
    ports = first, choose_port({first})
    environment = os.environ | {
        "ML_SERVING_PORT": str(ports[0]),
        "ML_BATCH_PORT": str(ports[1]),
        "ML_BATCH_PROCESSES": str(processes),
        "ML_SERVING_CACHE": str(folder / "cache"),
        "ML_RATE_LIMIT_ENABLED": "false",
    }
    with (folder / "log").open("wb") as log:
        programs = [
            subprocess.Popen([sys.executable, "-m", module], env=environment, stdout=log, stderr=log)
            for module in ("services.model_serving", "services.model_serving.batch")
        ]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=300) as client:
            for port in ports:
                _wait(f"http://127.0.0.1:{port}/health/live")
            yield client, psutil.Process(programs[1].pid)
    finally:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    sys.exit(f"{url} does not answer")


@contextmanager
def _watched(worker: psutil.Process) -> Iterator[list[int]]:
    """Look at the memory of the worker's processes for the time of the block."""
    largest, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.05):
            for process in (worker, *worker.children(recursive=True)):
                try:
                    largest[0] = max(largest[0], process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield largest
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
