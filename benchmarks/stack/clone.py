"""`make demo` as a newcomer runs it: in a fresh clone, twice."""

import os
import subprocess
import time
from pathlib import Path

from mlplatform.stack.ports import choose_port

ROOT = Path(__file__).parents[2]
PORTS = ("ML_MLFLOW_PORT", "ML_SERVING_PORT", "ML_EMBEDDING_PORT", "ML_SEARCH_PORT")


def measure(folder: Path, data: Path | None) -> tuple[float, float]:
    """Clone the repository into `folder`, run its demo twice, and stop what it started.

    Returns:
        Seconds of the first and of the second run.

    Raises:
        subprocess.CalledProcessError: a run failed.
    """
    clone = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ML_", "MLFLOW_"))}
    chosen: list[int] = []
    for variable in PORTS:
        chosen.append(choose_port(chosen))
        environment[variable] = str(chosen[-1])
    command = ["make", "demo", *([f"DATA={data.absolute()}"] if data else [])]
    try:
        return _timed(command, clone, environment), _timed(command, clone, environment)
    finally:
        subprocess.run([".venv/bin/mlp", "reset", "--yes"], cwd=clone, env=environment, check=False)


def _timed(command: list[str], folder: Path, environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun
