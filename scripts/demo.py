#!/usr/bin/env python
"""The platform in one run: start it, train, promote, predict, index and search; `make demo` calls this."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.table import Table

from mlplatform.registry.registry import Registry
from mlplatform.stack import Stack, find_home
from mlplatform.stack.files import read_tail

ROOT = Path(__file__).resolve().parents[1]
TRAINING = ROOT / "training" / "curve_forecaster"
MODEL = "curve_forecaster"
COMMAND_SECONDS = 300
SERVED_SECONDS = 30.0
REQUEST_SECONDS = 30.0
LOG_LINES = 15
SHOWN_TENORS = 6
QUERY = "what often comes before a recession?"
DOCUMENTS = {
    "inversion": "The yield curve inverts when short rates rise above long rates; economic downturns have followed.",
    "persistence": "Holding the last curve is a forecast that is hard to beat over a few days.",
    "factors": "Level, slope and curvature explain most of the daily changes of a yield curve.",
    "auction": "New notes are sold by auction; primary dealers are obliged to bid.",
    "inflation": "The break-even rate is the gap between nominal and inflation-protected yields.",
    "bill": "A bill pays no coupon; it is sold below its face value.",
}

T = TypeVar("T")


class StepError(Exception):
    """A step failed; the message says which, why, and where to read more."""


@dataclass
class Demo:
    """One run of the demo.

    Attributes:
        stack: The platform.
        console: Where everything is said.
        results: What each step did, in the user's words, and how long it took in seconds.
    """

    stack: Stack
    console: Console
    results: list[tuple[str, str, float]] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], tuple[T, str]]) -> T:
        """Run one step, say what it is, and keep what it did.

        Raises:
            StepError: when a service does not answer as it should.
        """
        started = time.monotonic()
        if not self.console.is_terminal:
            self.console.print(f"… {name}")
        try:
            with self.console.status(name):
                result, did = work()
        except httpx.HTTPStatusError as failure:
            answer = failure.response
            said = f"{answer.request.url} answered {answer.status_code}: {answer.text[:500]}"
            raise StepError(f"{name}: {said}; its log: {self.stack.home.logs}") from None
        except httpx.HTTPError as failure:
            raise StepError(f"{name}: {failure}; see: mlp status; logs: {self.stack.home.logs}") from None
        self.results.append((name, did, time.monotonic() - started))
        return result

    def run(self, name: str, command: list[str], folder: Path) -> str:
        """Run a command of the platform to its end and return its standard output; all of it goes to a log.

        Raises:
            StepError: when it fails or hangs; the message holds the end of the log.
        """
        log = self.stack.home.log(f"demo-{name}")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            try:
                answer = subprocess.run(  # noqa: S603 - our own scripts
                    command, cwd=folder, stdout=subprocess.PIPE, stderr=stream, timeout=COMMAND_SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                raise StepError(f"{name}: not done after {COMMAND_SECONDS} s; its log: {log}") from None
            stream.write(answer.stdout.decode())
        if answer.returncode:
            raise StepError(f"{name}: exit status {answer.returncode}\n{read_tail(log, LOG_LINES)}\nits log: {log}")
        return answer.stdout.decode()


def main() -> int:
    """Run every step; the exit status is 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="daily curves in the Treasury CSV layout; simulated when not given")
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
    stack = Stack(find_home(os.environ, ROOT).root, os.environ)
    demo = Demo(stack, console)
    try:
        run_steps(demo, arguments.data)
    except StepError as failure:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"demo failed at {failure}", markup=False)
        return 1
    show(demo)
    return 0


def run_steps(demo: Demo, data: Path | None) -> None:
    """Go through the platform from an empty machine to a search result.

    Raises:
        StepError: when a step fails; the later ones are not tried.
    """
    started = time.monotonic()
    # The command itself, which shows its own progress.
    if subprocess.run([str(Path(sys.executable).parent / "mlp"), "up"], cwd=ROOT, check=False).returncode:  # noqa: S603 - our own command
        raise StepError(f"mlp up; logs: {demo.stack.home.logs}")
    demo.results.append(("start", "everything healthy", time.monotonic() - started))
    settings = demo.stack.env()
    version = demo.step("train", lambda: train(demo, data))
    demo.step("promote", lambda: promote(demo, version))
    curves = last_curves(settings["ML_MLFLOW_URL"], version)
    demo.step("serve and predict", lambda: predict(settings["ML_SERVING_URL"], version, curves))
    demo.step("index", lambda: index(settings["ML_SEARCH_URL"]))
    demo.step("search", lambda: search(settings["ML_SEARCH_URL"]))


def train(demo: Demo, data: Path | None) -> tuple[str, str]:
    """Train and register the ensemble; return its version."""
    options = ["--curve-type", "yield", "--model-type", "ensemble", "--json"]
    if data:
        options += ["--data", str(data.resolve())]
    summary = json.loads(demo.run("train", [sys.executable, "train.py", *options], TRAINING))
    metrics, version = summary["metrics"], str(summary["registered"]["version"])
    skill = f"skill {metrics['skill']:+.4f} ({metrics['skill_low']:+.4f} to {metrics['skill_high']:+.4f})"
    did = f"version {version}: RMSE {metrics['rmse']:.4f}, persistence {metrics['persistence_rmse']:.4f}, {skill}"
    return version, f"{did}\n{summary['run_url']}"


def promote(demo: Demo, version: str) -> tuple[None, str]:
    """Promote the version to Production behind the gates."""
    script = str(ROOT / "scripts" / "promote_model.py")
    options = ["--model", MODEL, "--stage", "Production", "--version", version, "--reason", "demo"]
    demo.run("promote", [sys.executable, script, *options], ROOT)
    return None, f"{MODEL} version {version} is in Production"


def last_curves(mlflow_url: str, version: str) -> dict[str, Any]:
    """Return the last curves that the version was trained on: its recorded input example."""
    registry = Registry(mlflow_url)
    with tempfile.TemporaryDirectory() as folder:
        registry.copy_artifacts(registry.get_version(MODEL, version), Path(folder), "input_example.json")
        found: dict[str, Any] = json.loads((Path(folder) / "input_example.json").read_text(encoding="utf-8"))
    return found


def predict(serving_url: str, version: str, curves: dict[str, Any]) -> tuple[None, str]:
    """Ask for a forecast until the promoted version gives it."""
    columns = curves["columns"]
    inputs = [dict(zip(columns, row, strict=True)) for row in curves["data"]]
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        body = {"model": MODEL, "inputs": inputs}
        answer = httpx.post(f"{serving_url}/api/v1/predict", json=body, timeout=REQUEST_SECONDS, trust_env=False)
        served = answer.headers.get("X-Model-Version")
        if answer.is_success and served == version:
            break
        if time.monotonic() > deadline:
            answer.raise_for_status()
            raise StepError(f"serve and predict: version {served} is served, not {version}; see: mlp logs serving")
        time.sleep(0.1)
    first = answer.json()["predictions"][0]
    shown = ", ".join(f"{tenor} {first[tenor]:.2f}" for tenor in columns[:SHOWN_TENORS] if first.get(tenor) is not None)
    return None, f"version {served}, {first['horizon_days']} day(s) ahead: {shown}, …"


def index(search_url: str) -> tuple[None, str]:
    """Index a few documents and wait until they can be found."""
    items = [{"entity_type": "note", "entity_id": key, "text": text} for key, text in DOCUMENTS.items()]
    body = {"items": items, "wait": True, "wait_seconds": REQUEST_SECONDS / 2}
    answer = httpx.post(f"{search_url}/api/v1/index", json=body, timeout=REQUEST_SECONDS, trust_env=False)
    counts = answer.raise_for_status().json()
    return None, f"{counts['accepted']} documents accepted, {counts['embedded']} embedded"


def search(search_url: str) -> tuple[None, str]:
    """Search what was indexed."""
    body = {"query": QUERY, "limit": 3, "entity_types": ["note"]}
    answer = httpx.post(f"{search_url}/api/v1/search", json=body, timeout=REQUEST_SECONDS, trust_env=False)
    results = answer.raise_for_status().json()["results"]
    if not results:
        raise StepError("search: nothing was found; see: mlp logs search")
    return None, f"“{QUERY}” → {results[0]['entity_id']} ({results[0]['score']:.3f}): {results[0]['text']}"


def show(demo: Demo) -> None:
    """Print what was done, where everything is, and what to do next."""
    settings = demo.stack.env()
    done = Table("step", "what it did", "seconds", title="Done", title_justify="left")
    for name, did, seconds in demo.results:
        done.add_row(name, did, f"{seconds:.1f}")
    done.add_section()
    done.add_row("all", "", f"{sum(seconds for _, _, seconds in demo.results):.1f}")
    places = Table("what", "where", title="Running", title_justify="left")
    places.add_row("MLflow: runs and models", settings["ML_MLFLOW_URL"])
    for name in ("serving", "embedding", "search"):
        places.add_row(f"{name} API", f"{settings[f'ML_{name.upper()}_URL']}/docs")
    places.add_row("traces", traces_url(settings))
    demo.console.print(done, places)
    demo.console.print("next: mlp status          every process, its memory and its address")
    demo.console.print("      mlp down            stop everything and keep the data")
    demo.console.print(f"      cd {TRAINING.relative_to(ROOT)} && python train.py --help")


def traces_url(settings: dict[str, str]) -> str:
    """Return where a browser shows the traces."""
    headers = dict(pair.split("=", 1) for pair in settings.get("ML_OTLP_HEADERS", "").split(",") if "=" in pair)
    experiment = headers.get("x-mlflow-experiment-id")
    if experiment:
        return f"{settings['ML_MLFLOW_URL']}/#/experiments/{experiment}/traces"
    return "http://127.0.0.1:16686" if settings.get("ML_STACK_TRACES") == "jaeger" else settings["ML_OTLP_ENDPOINT"]


if __name__ == "__main__":
    sys.exit(main())
