"""Postgres, Redis, S3 and MLflow for the platform's own contenders."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.stack.clone import PORTS
from mlplatform.stack import Stack
from mlplatform.stack.files import read_environment
from mlplatform.stack.home import Home
from mlplatform.stack.parts.services import SERVICES, WITHHELD
from mlplatform.stack.ports import choose_port
from mlplatform.stack.state import State
from mlplatform.stack.supervisor import Supervisor


@contextmanager
def backing(stack_env: Path | None, report: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Yield the settings of a stack: of one that runs already, or of one that is started here and deleted afterwards.

    Args:
        stack_env: The file of a running stack with its settings.
        report: Told what happens.

    Raises:
        SystemExit: the file has no settings.
    """
    if stack_env is not None:
        found = read_environment(stack_env)
        if "ML_MLFLOW_URL" not in found:
            raise SystemExit(f"{stack_env} does not hold the settings of a stack")
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="mlp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres runs as another user when root runs this
        chosen: list[int] = []
        for _ in PORTS:
            chosen.append(choose_port(chosen))
        settings = dict(zip(PORTS, map(str, chosen), strict=True))
        stack = Stack(folder / ".mlp", settings | {"PATH": os.environ["PATH"]})
        try:
            report("start Postgres, Redis, S3 and MLflow")
            stack.up()
            _stop_services(stack.home)
            yield stack.env()
        finally:
            stack.reset()


def service_settings(settings: dict[str, str]) -> dict[str, str]:
    """Return what the stack gives to a service, as `mlp up` does."""
    own = {name: value for name, value in settings.items() if name not in WITHHELD}
    return own | {"MLFLOW_DISABLE_TELEMETRY": "true", "MALLOC_ARENA_MAX": "2"}


def _stop_services(home: Home) -> None:
    """Leave the cores to the benchmark, which starts the service that it measures itself."""
    supervisor = Supervisor(home, Path(State.load(home).socket))
    supervisor.stop_programs([service.name for service in SERVICES])
