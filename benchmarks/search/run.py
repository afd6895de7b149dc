"""The run of one size: the platform, and then each peer, on the same items and the same queries."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.search import databases, exact, nodes, service, store
from benchmarks.search.cells import CELLS, queries_of
from benchmarks.search.clients import EMBED, Caller, RefusedError
from benchmarks.search.corpus import TAGS, Corpus, Floats
from benchmarks.search.databases import Database
from benchmarks.search.exact import Neighbours
from benchmarks.search.nodes import Node
from benchmarks.search.options import Options
from benchmarks.search.peers import PEERS, GivenUpError, Peer, Process
from benchmarks.serving.environments import Environment
from benchmarks.serving.rounds import calibrate
from benchmarks.stack import machine

Report = Callable[[str], None]
Figures = dict[str, Any]
BYTES_PER_ITEM = 25_000
"""On the disk, of all that is there at one time."""


@dataclass(frozen=True, slots=True)
class Given:
    """What everybody is given.

    Attributes:
        corpus: The items.
        sought: Queries whose answers are compared with the exact ones.
        vectors: Theirs, a row each.
        timed: Queries whose time is measured.
        neighbours: The exact answers.
        embedding: The service that embeds queries.
        folder: For data that are deleted afterwards.
    """

    corpus: Corpus
    sought: Sequence[str]
    vectors: Floats
    timed: Sequence[str]
    neighbours: Neighbours
    embedding: Node
    folder: Path

    @property
    def centres(self) -> Path:
        """The centres of the topics, for other processes to make the same items."""
        return self.folder / "centres.npy"


@dataclass(slots=True)
class Size:
    """The measuring of one size.

    Attributes:
        items: How many.
        options: What was asked for.
        settings: Of the stack, with a Redis of the benchmark's own.
        installed: The environments of the peers, by the name of their list.
        report: Told what happens.
        save: Given the figures whenever there are more.
        figures: So far.
    """

    items: int
    options: Options
    settings: Mapping[str, str]
    installed: Mapping[str, Environment]
    report: Report
    save: Callable[[Figures], None]
    figures: Figures = field(default_factory=dict)

    def measure(self) -> Figures:
        """Measure everybody and return the figures."""
        options = self.options
        self.figures |= {
            "machine": machine.describe(),
            "options": {
                "clients": options.clients,
                "queries": options.queries,
                "recall_queries": options.recall_queries,
                "seed": options.seed,
            },
            "calibration_ms": [],
            "contenders": {},
            "problems": {},
        }
        with ExitStack() as stack:
            home = options.home / "search"
            home.mkdir(parents=True, exist_ok=True)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=home)))
            folder.chmod(0o711)
            if shutil.disk_usage(folder).free < self.items * BYTES_PER_ITEM:
                self.report(f"{folder} may be too small for {self.items:,} items")
            own = stack.enter_context(
                databases.database(self.settings, f"mlp_bench_search_{self.items}", keep=options.keep)
            )
            settings = {**self.settings, databases.APP: own.app}
            self.report("start the embedding service")
            embedding = stack.enter_context(nodes.embedding_node(settings, home / "embedding", folder))
            self._measure(settings, own, embedding, folder)
        return self.figures

    def _measure(self, settings: Mapping[str, str], own: Database, embedding: Node, folder: Path) -> None:
        options = self.options
        caller = Caller(embedding.url)
        corpus = Corpus(self.items, options.seed)
        corpus.centres = np.asarray([caller.embed(text) for text in corpus.topic_texts()], dtype=np.float32)
        queries = corpus.queries(options.recall_queries + options.queries * (len(CELLS) + 1))
        sought, rest = queries[: options.recall_queries], queries[options.recall_queries :]
        # One by one, as the search service does: in a batch, some encoders round otherwise.
        vectors = np.asarray([caller.embed(text) for text in sought], dtype=np.float32)
        self.report(f"compare {self.items:,} items with {len(sought)} queries")
        given = Given(
            corpus=corpus,
            sought=sought,
            vectors=vectors,
            timed=rest[options.queries :],
            neighbours=exact.find(corpus, vectors),
            embedding=embedding,
            folder=folder,
        )
        np.save(given.centres, corpus.centres)
        alone = service.embed(embedding, rest[: options.queries], clients=options.clients)
        self.figures |= {
            "encoder": nodes.backend(embedding),
            "embedding": alone.as_dict(),
            "matching": dict(given.neighbours.matching),
            "versions": {"database": own.versions()},
        }
        if service.NAME in options.contenders:
            self._measure_platform(settings, own, given)
        for peer in PEERS:
            if peer.name in options.contenders:
                self._attempt(peer, given)

    def _measure_platform(self, settings: Mapping[str, str], own: Database, given: Given) -> None:
        options = self.options
        self.figures["calibration_ms"].append(calibrate())
        entry = self._entry(service.NAME, "hybrid search over HTTP, as installed, without its cache of rankings")
        self._fill(entry, own, given)
        with nodes.search_node(settings, given.embedding, given.folder) as search:
            for tag in TAGS:
                self.report(f"{service.NAME}: recall, {tag}")
                found, strategies = service.nearest(search, given.sought, tag)
                entry["filters"][tag] = given.neighbours.judge(tag, found) | {"strategies": strategies}
            for cell in CELLS:
                self.report(f"{service.NAME}: {cell.name}")
                wanted = 0 if cell.mode == "lexical" else given.neighbours.wanted(cell.tag)
                queries = queries_of(cell, given.timed)
                timing = service.ask(search, cell, queries, clients=options.clients, wanted=wanted)
                entry["queries"][cell.name] = timing.as_dict()
            self.save(self.figures)
            self.report(f"{service.NAME}: recall of hybrid queries")
            try:
                entry["fused"] = self._compare(search, settings, given)
            except RefusedError as error:
                self.figures["problems"][f"{service.NAME}: recall of hybrid queries"] = str(error)
            self.report(f"{service.NAME}: index")
            entry["indexing"] = service.index(
                search, given.embedding, own.owner, single=options.single, bulk=options.bulk
            )
        self.save(self.figures)

    def _compare(self, search: Node, settings: Mapping[str, str], given: Given) -> Figures:
        """Compare the answers of hybrid queries with those of a service that compares every vector."""
        with (
            tempfile.TemporaryDirectory(prefix="exact-", dir=given.folder) as folder,
            nodes.search_node(settings, given.embedding, Path(folder), exact_rows=self.items) as exact,
        ):
            return service.fused(search, exact, given.sought)

    def _fill(self, entry: Figures, own: Database, given: Given) -> None:
        """Fill the database, unless one that was kept has these items."""
        answer = Caller(given.embedding.url).post(EMBED, {"texts": ["model"]})
        model = {"name": answer["model"], "version": answer["version"], "digest": answer["digest"]}
        wanted = {"items": self.items, "checksum": given.neighbours.checksum, "digest": model["digest"]}
        content = own.content()
        if content is None:
            self.report(f"{service.NAME}: store {self.items:,} items")
            content = wanted | {"seconds": store.fill(own.owner, given.corpus, model)}
            own.mark(content)
        if wanted != {name: content[name] for name in wanted}:
            raise databases.DatabaseTakenError(f"the database {own.name} was kept with other items: drop it")
        self._loaded(entry, content["seconds"], store.size(own.owner))

    def _attempt(self, peer: Peer, given: Given) -> None:
        """Measure a peer, or say why there are no figures, or not all: what the others took so long for is not lost."""
        environment = None
        if peer.requirements is not None:
            if (environment := self.installed.get(peer.requirements)) is None:
                return
            self.figures["versions"][peer.name] = environment.versions()
        self.figures["calibration_ms"].append(calibrate())
        try:
            with ExitStack() as stack:
                place = self._place(stack, peer, given.folder)
                process = stack.enter_context(Process(peer, environment, place, given.folder))
                self._measure_peer(peer, process, given)
        except GivenUpError as error:
            self.figures["problems"][peer.name] = str(error)
            self.report(f"{peer.name} is given up: {error}")
        self.save(self.figures)

    def _place(self, stack: ExitStack, peer: Peer, folder: Path) -> dict[str, str]:
        if peer.requirements is None:
            name = f"mlp_bench_search_plain_{self.items}"
            plain = databases.database(self.settings, name, keep=False, migrated=False)
            return {"url": stack.enter_context(plain).owner}
        return {"folder": stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{peer.name}-", dir=folder))}

    def _measure_peer(self, peer: Peer, process: Process, given: Given) -> None:
        self.report(f"{peer.name}: store {self.items:,} items")
        loaded = process.do("load", items=self.items, seed=given.corpus.seed, centres=str(given.centres))
        if loaded["checksum"] != given.neighbours.checksum:
            raise GivenUpError("it was given other items: its environment makes other random numbers")
        for variant in peer.variants:
            entry = self._entry(variant.name, variant.settings)
            self._loaded(entry, loaded["seconds"], loaded["bytes"])
            own = {"parameters": dict(variant.parameters)}
            for tag in TAGS:
                self.report(f"{variant.name}: recall, {tag}")
                texts, vectors = list(given.sought), given.vectors.tolist()
                answer = process.do("find", mode="vector", tag=tag, texts=texts, vectors=vectors, **own)
                entry["filters"][tag] = given.neighbours.judge(tag, answer["found"])
            for cell in CELLS:
                if cell.mode not in peer.modes:
                    continue
                self.report(f"{variant.name}: {cell.name}")
                entry["queries"][cell.name] = process.do(
                    "time",
                    mode=cell.mode,
                    tag=cell.tag,
                    queries=list(queries_of(cell, given.timed)),
                    clients=self.options.clients,
                    wanted=given.neighbours.wanted(cell.tag),
                    embedding_url=given.embedding.url,
                    **own,
                )
            entry["resident_mib"] = process.resident_mib()
            self.save(self.figures)

    def _entry(self, name: str, settings: str) -> Figures:
        entry: Figures = {"settings": settings, "filters": {}, "queries": {}}
        self.figures["contenders"][name] = entry
        return entry

    def _loaded(self, entry: Figures, seconds: Mapping[str, float], size: int) -> None:
        entry["load_seconds"] = dict(seconds)
        entry["items_per_second"] = round(self.items / sum(seconds.values()))
        entry["bytes"] = size
