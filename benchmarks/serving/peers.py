"""The servers that a user could pick instead, each as its own documentation advises for a small model on processors."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.serving.contender import Contender, Place
from benchmarks.serving.encodings import BINARY, ROWS, SPLIT, TENSORS
from benchmarks.serving.processes import Launch
from benchmarks.serving.subjects import LINEAR, TREES

CORES = os.cpu_count() or 1
APPS = Path(__file__).parent / "apps"
MLFLOW = "mlflow models serve"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""For every contender: threads of BLAS cost so small a model more than they save."""
STOCK_LOOP = {"UVICORN_LOOP": "asyncio", "UVICORN_HTTP": "h11"}
"""What `pip install mlflow` brings; uvloop and httptools come with an extra of uvicorn."""
FAST_LOOP = {"UVICORN_LOOP": "uvloop", "UVICORN_HTTP": "httptools", "UVICORN_ACCESS_LOG": "false"}
SILENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0"}
RAY = {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1", "RAY_SERVE_ENABLE_HA_PROXY": "1"}
"""What its guide on high throughput advises."""


def _mlflow(variables: Mapping[str, str], workers: int) -> Callable[[Place], Launch]:
    def launch(place: Place) -> Launch:
        command = [_program(place, "mlflow"), "models", "serve", "--model-uri", place.subject.folder]
        options = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(place.port)]
        return Launch([*command, *options, "--workers", str(workers)], _variables(place) | variables, place.folder)

    return launch


def _script(name: str, workers: int = 1, *, batched: bool = False, **variables: str) -> Callable[[Place], Launch]:
    def launch(place: Place) -> Launch:
        command = [_program(place, "python"), APPS / name]
        return Launch(command, _variables(place) | _chosen(workers, batched=batched) | variables, place.folder)

    return launch


def _bentoml(workers: int, *, batched: bool) -> Callable[[Place], Launch]:
    def launch(place: Place) -> Launch:
        command = [_program(place, "bentoml"), "serve", "bentoml_app:Estimator", "--working-dir", APPS]
        variables = (
            _variables(place) | _chosen(workers, batched=batched) | {"BENTOML_HOME": str(place.folder / "bento")}
        )
        return Launch([*command, "--host", "127.0.0.1", "--port", str(place.port)], variables, place.folder)

    return launch


def _program(place: Place, name: str) -> Path:
    if place.environment is None:
        raise ValueError("a peer runs in an environment of its own")
    return place.environment.folder / "bin" / name


def _variables(place: Place) -> dict[str, str]:
    own = place.environment.variables() if place.environment else {}
    return own | ONE_THREAD | SILENT | {"BENCH_ESTIMATOR": str(place.subject.estimator), "BENCH_PORT": str(place.port)}


def _chosen(workers: int, *, batched: bool) -> dict[str, str]:
    return {"BENCH_WORKERS": str(workers), "BENCH_BATCHED": str(int(batched))}


def make_peers() -> list[Contender]:
    """Return all of them, in the order of reports."""
    both = (LINEAR, TREES)
    scoring, tensors, rows = {SPLIT: "/invocations"}, "/v2/models/model/infer", {ROWS: "/predict"}
    return [
        Contender("mlflow", MLFLOW, "1 worker, as installed", scoring, _mlflow(STOCK_LOOP, 1), "mlflow", both),
        Contender(
            "mlflow uvloop", MLFLOW, "1 worker, uvloop, no access log", scoring, _mlflow(FAST_LOOP, 1), "mlflow", both
        ),
        Contender(
            "mlflow workers",
            MLFLOW,
            f"{CORES} workers, uvloop, no access log",
            scoring,
            _mlflow(FAST_LOOP, CORES),
            "mlflow",
        ),
        Contender(
            "kserve",
            "KServe",
            "1 worker, no log per request",
            {TENSORS: tensors, BINARY: tensors},
            _script("kserve_app.py", KSERVE_LOGLEVEL="WARNING"),
            "kserve",
        ),
        Contender(
            "kserve workers",
            "KServe",
            f"{CORES} workers, no log per request",
            {TENSORS: tensors},
            _script("kserve_app.py", CORES, KSERVE_LOGLEVEL="WARNING"),
            "kserve",
        ),
        Contender("litserve", "LitServe", "1 worker, fast queue", rows, _script("litserve_app.py"), "litserve"),
        Contender(
            "litserve workers",
            "LitServe",
            f"{CORES} workers, fast queue",
            rows,
            _script("litserve_app.py", CORES),
            "litserve",
        ),
        Contender(
            "litserve batched",
            "LitServe",
            "1 worker, fast queue, batches of 32 or 5 ms",
            rows,
            _script("litserve_app.py", batched=True),
            "litserve",
        ),
        Contender("bentoml", "BentoML", f"{CORES} workers", rows, _bentoml(CORES, batched=False), "bentoml"),
        Contender(
            "bentoml batched",
            "BentoML",
            "1 worker, adaptive batches up to 1000 rows",
            rows,
            _bentoml(1, batched=True),
            "bentoml",
        ),
        Contender(
            "ray", "Ray Serve", "1 replica, HAProxy, high throughput", {ROWS: "/"}, _script("ray_app.py", **RAY), "ray"
        ),
        Contender(
            "ray batched",
            "Ray Serve",
            "1 replica, HAProxy, high throughput, batches of 32 or 5 ms",
            {ROWS: "/"},
            _script("ray_app.py", batched=True, **RAY),
            "ray",
        ),
    ]
