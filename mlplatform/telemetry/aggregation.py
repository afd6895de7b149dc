"""Metrics of several processes as those of one.

Every process counts for itself, which costs the requests nothing. Whoever is asked for metrics asks the others, over a
socket in a folder that all share, and adds up. What a process had counted when it was last heard of is kept in a file,
so that sums never fall when a process ends. Gauges cannot be added up: each is shown with the number of its process.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

ANSWER_SECONDS = 2.0
SUMMED = frozenset({"counter", "histogram", "summary"})
CREATED = "_created"
PROCESS = "process"

Family: TypeAlias = dict[str, Any]


class SharedMetrics:
    """The metrics of this process and of its siblings.

    Args:
        folder: Shared by all of them, and by nobody else.
        name: Of this process in the folder; no other one ever has it.
        label: Of this process on gauges.
    """

    def __init__(self, folder: Path, name: str, label: str) -> None:
        self._folder = folder
        self._name = name
        self._label = label

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer siblings for the time of the block, and leave what was counted behind."""
        server = await asyncio.start_unix_server(self._answer, self._folder / f"{self._name}.sock")
        try:
            yield
        finally:
            server.close()
            (self._folder / f"{self._name}.sock").unlink(missing_ok=True)
            self._keep(self._name, snapshot(self._label))

    async def render(self) -> bytes:
        """Return the metrics of all processes, those that have ended included, in Prometheus' text format."""
        sockets = [path for path in self._folder.glob("*.sock") if path.stem != self._name]
        answers = await asyncio.gather(*(self._ask(path) for path in sockets))
        alive = {self._name: snapshot(self._label)}
        alive |= {path.stem: answer for path, answer in zip(sockets, answers, strict=True) if answer is not None}
        return await asyncio.to_thread(self._merge, alive)

    def _merge(self, alive: dict[str, bytes]) -> bytes:
        for name, content in alive.items():
            self._keep(name, content)
        past = [path.read_bytes() for path in self._folder.glob("*.json") if path.stem not in alive]
        return merged([orjson.loads(content) for content in alive.values()], [orjson.loads(text) for text in past])

    def _keep(self, name: str, content: bytes) -> None:
        fresh = self._folder / f"{name}.{os.getpid()}"
        fresh.write_bytes(content)
        fresh.replace(self._folder / f"{name}.json")

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(snapshot(self._label))
        writer.write_eof()
        await writer.drain()
        writer.close()

    @staticmethod
    async def _ask(path: Path) -> bytes | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(path)
                content = await reader.read()
                writer.close()
        except (OSError, TimeoutError):  # it has ended, or is stuck: what it said last counts
            return None
        return content or None


def snapshot(label: str) -> bytes:
    """Return every metric of this process, as JSON.

    Args:
        label: Of the process, on gauges.
    """
    return orjson.dumps([_family(metric, label) for metric in REGISTRY.collect()])


def merged(alive: Iterable[list[Family]], past: Iterable[list[Family]]) -> bytes:
    """Add up snapshots of processes.

    Args:
        alive: Of processes that run.
        past: Of processes that have ended, whose gauges say nothing any more.

    Returns:
        Prometheus' text format.
    """
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for snapshots, living in ((alive, True), (past, False)):
        for family in (family for content in snapshots for family in content):
            if not living and family["type"] not in SUMMED:
                continue
            name = family["name"]
            families.setdefault(name, Metric(name, family["help"], family["type"]))
            _add(values.setdefault(name, {}), family)
    for name, metric in families.items():
        for (sample, labels), value in values[name].items():
            metric.add_sample(sample, dict(labels), value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families.values()))
    return generate_latest(registry)


def _add(values: dict[tuple[str, tuple[tuple[str, str], ...]], float], family: Family) -> None:
    for sample, labels, value in family["samples"]:
        key = sample, tuple(sorted(labels.items()))
        if sample.endswith(CREATED):
            values[key] = min(values.get(key, value), value)
        else:
            values[key] = values.get(key, 0.0) + value


def _family(metric: Metric, label: str) -> Family:
    own = {} if metric.type in SUMMED else {PROCESS: label}
    return {
        "name": metric.name,
        "help": metric.documentation,
        "type": metric.type,
        "samples": [(sample.name, {**sample.labels, **own}, sample.value) for sample in metric.samples],
    }


class _Collected:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
