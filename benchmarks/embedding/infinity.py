"""infinity-emb in each of its engines that can compute the model on a processor without a network."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.embedding.endpoint import MODEL, Endpoint
from benchmarks.embedding.model import FOLDER, tokens_read
from benchmarks.serving.environments import Environment
from benchmarks.serving.processes import Launch, Server, StartError
from mlplatform.stack.ports import choose_port

NAME = "infinity"
REQUIREMENTS = Path(__file__).parent / "requirements"
MODELS = Path(__file__).parent / "apps" / "infinity_models.py"
EXPORT_SECONDS = 600.0
START_SECONDS = 300.0
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
SILENT = {"INFINITY_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True, slots=True)
class Engine:
    """A way of infinity's to compute.

    Attributes:
        name: What reports call it.
        settings: In words.
        folder: Of the model, below those that are written for infinity.
        options: For the command line.
    """

    name: str
    settings: str
    folder: str
    options: tuple[str, ...]


ENGINES = (
    Engine("infinity torch", "engine torch, fp32, as installed", "torch", ("--engine", "torch")),
    Engine("infinity onnx", "engine optimum, fp32", "onnx", ("--engine", "optimum", "--pooling-method", "mean")),
    Engine("infinity int8", "engine optimum, int8", "int8", ("--engine", "optimum", "--pooling-method", "mean")),
)


@dataclass(frozen=True, slots=True)
class Running:
    """An engine that runs.

    Attributes:
        engine: Which.
        endpoint: Where it is asked.
    """

    engine: Engine
    endpoint: Endpoint


@contextmanager
def running(
    environment: Environment, folder: Path, report: Callable[[str], None]
) -> Iterator[tuple[list[Running], dict[str, str]]]:
    """Run a server for each engine until the block ends.

    Args:
        environment: With infinity's packages.
        folder: For models and logs.
        report: Told what happens.

    Yields:
        Those that run, halted, and why others do not.
    """
    found: list[Running] = []
    problems: dict[str, str] = {}
    report("write the model for infinity")
    unwritten = _write_models(environment, folder)
    with ExitStack() as stack:
        for engine in ENGINES:
            if not (folder / "models" / engine.folder).is_dir():
                problems[engine.name] = f"the model could not be written: {unwritten}"
                continue
            report(f"start {engine.name}")
            endpoint = _endpoint(engine, environment, folder)
            stack.callback(endpoint.server.stop)
            try:
                endpoint.server.start(endpoint.problem, START_SECONDS)
            except StartError as error:
                problems[engine.name] = str(error)
                continue
            endpoint.server.halt()
            found.append(Running(engine, endpoint))
        yield found, problems


def _write_models(environment: Environment, folder: Path) -> str:
    """Write the model for the engines; return the last line of what went wrong."""
    command = [environment.python, MODELS, FOLDER, folder / "models", tokens_read()]
    try:
        done = subprocess.run(
            [str(part) for part in command],
            env=os.environ | _variables(environment, folder),
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=EXPORT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {EXPORT_SECONDS:.0f} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]


def _endpoint(engine: Engine, environment: Environment, folder: Path) -> Endpoint:
    port = choose_port([])
    command = [environment.folder / "bin" / "infinity_emb", "v2", "--model-id", folder / "models" / engine.folder]
    options = ["--served-model-name", MODEL, "--url-prefix", "/v1", "--host", "127.0.0.1", "--port", str(port)]
    launch = Launch([*command, *options, "--device", "cpu", *engine.options], _variables(environment, folder), folder)
    return Endpoint(port, Server(launch, folder / f"{engine.name.replace(' ', '-')}.log"))


def _variables(environment: Environment, folder: Path) -> dict[str, str]:
    return environment.variables() | OFFLINE | SILENT | {"HF_HOME": str(folder / "hub")}
