"""One run: its parts one after the other, and their figures put together."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serving import duels, floods, memory, pairs, promotions, rounds, summary
from benchmarks.serving.cells import BINARY_THOUSAND, CELLS, ONE, PEAK, THOUSAND, TREES_ONE
from benchmarks.serving.contender import Contender, start
from benchmarks.serving.environments import Environment
from benchmarks.serving.options import Options
from benchmarks.serving.platform import NAME, TRACES, Platform
from benchmarks.serving.processes import StartError
from benchmarks.serving.subjects import LINEAR, Subject, make_large
from benchmarks.serving.wrk import WrkError
from benchmarks.stack import machine
from services.model_serving.settings import ServingSettings

QUICK_CELLS = (ONE, PEAK, THOUSAND, TREES_ONE, BINARY_THOUSAND)
STOCK = "mlflow"
SHORT_DEADLINE = 2.0
"""Seconds; of the model whose predictions take milliseconds, so that a flood soon fills what may wait."""
EXTRA_PATIENCE = 5.0
"""Seconds beyond the platform's deadline that the answers to a flood are waited for."""


class Run:
    """Measures what the options ask for.

    Args:
        options: What was asked for.
        subjects: The models.
        installed: The peers' environments by their names.
        platform: None when the platform itself is not measured.
        folder: For logs and caches; the caller deletes it.
        report: Told what happens.
    """

    def __init__(
        self,
        options: Options,
        *,
        subjects: Mapping[str, Subject],
        installed: Mapping[str, Environment],
        platform: Platform | None,
        folder: Path,
        report: Callable[[str], None],
    ) -> None:
        self._options = options
        self._subjects = subjects
        self._installed = installed
        self._platform = platform
        self._folder = folder
        self._report = report
        self._deadline = ServingSettings.model_fields["serving_timeout"].get_default().total_seconds()
        self._names: dict[str, str] = {}

    def measure(self, peers: Sequence[Contender]) -> dict[str, Any]:
        """Measure all parts and return their figures."""
        contenders = list(peers)
        if self._platform is not None:
            self._report("register the models")
            self._names = self._platform.publish(list(self._subjects.values()))
            contenders.append(self._own(NAME, "1 process, as installed"))
            contenders.append(self._own(f"{NAME} workers", "2 processes", ML_SERVING_PROCESSES="2"))
        seen, calibrations = self._rounds(contenders)
        result: dict[str, Any] = {
            "machine": machine.describe(),
            "options": {"rounds": self._options.rounds, "seconds": self._options.seconds, "quick": self._options.quick},
            "calibration_ms": calibrations,
            "versions": {name: environment.versions() for name, environment in self._installed.items()},
            "contenders": {entry.name: summary.of_contender(entry, seen[entry.name]) for entry in contenders},
            "pairs": {},
            "problems": {},
        }
        if self._platform is None:
            return result
        result["versions"][NAME] = {entry.name.lower(): entry.version for entry in distributions()}
        parts = {
            "pairs": self._pairs,
            "duels": lambda: self._duels(contenders, result["contenders"]),
            "floods": self._floods,
            "promotion": self._promotion,
            "memory": lambda: self._memory(peers),
        }
        for part, measure in parts.items():
            if part in self._options.parts:
                self._attempt(part, measure, result)
        return result

    def _attempt(self, part: str, measure: Callable[[], dict[str, Any]], result: dict[str, Any]) -> None:
        """Add a part's figures, or say why there are none: what the others took so long for is not lost."""
        try:
            result[part] = measure()
        except (StartError, WrkError, RuntimeError, httpx.HTTPError) as error:
            self._report(f"{part} is given up: {error}")
            result["problems"][part] = str(error)

    def _own(self, title: str, words: str, **changes: str | None) -> Contender:
        return self._platform.contender(title, self._names, words, **changes)

    def _rounds(self, contenders: Sequence[Contender]) -> tuple[dict[str, rounds.Seen], list[float]]:
        options = self._options
        cells = (QUICK_CELLS if options.quick else CELLS) if "closed" in options.parts else ()
        plan = rounds.Plan(
            seconds=options.seconds,
            cells=frozenset(cell.name for cell in cells),
            bursts=options.bursts if "poison" in options.parts else 0,
            flood_seconds=max(4.0, options.seconds) if "overload" in options.parts else 0,
            patience=self._deadline + EXTRA_PATIENCE,
        )
        return rounds.run(
            contenders,
            plan,
            environments=self._installed,
            subjects=self._subjects,
            rounds=options.rounds,
            folder=self._folder,
            report=self._report,
        )

    def _pairs(self) -> dict[str, Any]:
        linear, slices = self._subjects[LINEAR], self._options.slices
        own = self._own(NAME, "default settings")
        seconds = max(1.0, self._options.seconds / 2)
        self._report("batching on and off")
        unbatched = self._own(f"{NAME} unbatched", "batching off", ML_SERVING_BATCHING="false")
        batching = pairs.compare_settings(
            ONE, own, unbatched, subject=linear, folder=self._folder, seconds=seconds, slices=slices
        )
        self._report("tracing on and off")
        untraced = self._own(f"{NAME} untraced", "tracing off", **{TRACES: None})
        tracing = pairs.compare_settings(
            PEAK, own, untraced, subject=linear, folder=self._folder, seconds=seconds, slices=slices
        )
        self._report("JSON and binary tensors")
        running = start(own, linear, None, self._folder)
        with running.server:
            encoding = pairs.compare_encodings(running, seconds, slices)
        return {
            "batching": summary.of_pair("on", "off", batching),
            "tracing": summary.of_pair("on", "off", tracing),
            "encoding": summary.of_pair("split", "binary", encoding),
        }

    def _duels(self, contenders: Sequence[Contender], seen: Mapping[str, Any]) -> dict[str, Any]:
        by_name = {contender.name: contender for contender in contenders}
        found = {}
        for duel in duels.DUELS:
            if (opponents := duels.names(duel, seen)) is None:
                continue
            own, other = opponents
            self._report(f"{own} beside {other}: {duel.cell.name}")
            try:
                pair = duels.fight(
                    duel.cell,
                    [by_name[own], by_name[other]],
                    environments=self._installed,
                    subjects=self._subjects,
                    folder=self._folder,
                    seconds=max(1.0, self._options.seconds),
                    slices=self._options.slices,
                )
            except (StartError, WrkError, RuntimeError) as error:
                self._report(f"{own} beside {other} is given up: {error}")
                continue
            found[duel.name] = duels.of_duel(duel, own, other, pair)
        return found

    def _floods(self) -> dict[str, Any]:
        self._report("train and register a model whose predictions take milliseconds")
        large = make_large(self._folder / "models")
        names = self._platform.publish([large])
        found = {}
        for subject, contender, deadline in (
            (self._subjects[LINEAR], self._own(NAME, "default settings"), self._deadline),
            (
                large,
                self._platform.contender(
                    f"{NAME} of large", names, "short deadline", ML_SERVING_TIMEOUT=str(SHORT_DEADLINE)
                ),
                SHORT_DEADLINE,
            ),
        ):
            self._report(f"floods: {subject.name}")
            running = start(contender, subject, None, self._folder)
            with running.server:
                seen = floods.measure(
                    running,
                    seconds=max(4.0, self._options.seconds),
                    slices=self._options.slices,
                    patience=deadline + EXTRA_PATIENCE,
                )
            found[subject.name] = summary.of_floods(seen, deadline)
        return found

    def _promotion(self) -> dict[str, Any]:
        found = promotions.measure(
            self._platform,
            names=self._names,
            subject=self._subjects[LINEAR],
            versions=self._options.versions,
            seconds=self._options.seconds,
            folder=self._folder,
            report=self._report,
        )
        return summary.of_promotions(found)

    def _memory(self, peers: Sequence[Contender]) -> dict[str, Any]:
        stock = next((peer for peer in peers if peer.name == STOCK), None)
        if stock is None:
            raise StartError(f"{STOCK} is not among the contenders")
        subject = self._subjects[LINEAR]
        self._report(f"memory: register {memory.MODELS} models")
        names = {LINEAR: self._names[LINEAR]} | self._platform.publish_many(subject, memory.MODELS - 1)
        found = memory.measure(
            self._platform.contender(f"{NAME} of {memory.MODELS}", names, "default settings"),
            stock,
            environment=self._installed[stock.requirements],
            subject=subject,
            servers=self._options.stock_servers,
            folder=self._folder,
            report=self._report,
        )
        return summary.of_memory(found)
