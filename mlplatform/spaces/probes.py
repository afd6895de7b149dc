"""What must hold of a space before it is searched."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mlplatform.database import Database
from mlplatform.spaces import repository
from mlplatform.spaces.indexes import repository as indexes
from mlplatform.spaces.indexes.index import IndexState
from mlplatform.spaces.space import Space

LIVE = timedelta(minutes=2)
"""A node that said nothing for so long has ended. It says nothing while it loads a model."""
PATIENCE = timedelta(minutes=10)
"""For counting every item of a large index."""
COMPARED_ROWS = 3000
"""Vectors of a tenant up to which search compares them all, so that there is no recall to measure."""
DEPTH = 10
QUERIES = 50
LARGEST_TENANTS = 5

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of one look.

    Attributes:
        name: What was looked at.
        passed: Whether it is good enough.
        finding: In words.
        value: The figure, where there is one.
    """

    name: str
    passed: bool
    finding: str
    value: float | None = None

    def as_dict(self) -> dict[str, object]:
        """Return what programs read."""
        return {"name": self.name, "passed": self.passed, "finding": self.finding, "value": self.value}


async def probe_coverage(database: Database, space: Space, *, accept_failures: bool) -> Probe:
    """Count the items without a vector of their text. With any, a complete space is gone over again at once."""
    async with database.transaction() as connection:
        await repository.set_patience(connection, PATIENCE)
        counted = await repository.count_space(connection, space.id)
        if counted["lacking"]:
            await repository.reopen_fill(connection, space.id)
    covered, lacking, failed = counted["covered"], counted["lacking"], counted["failed"]
    share = covered / (covered + lacking + failed) if covered + lacking + failed else 1.0
    finding = f"{covered:,} items have a vector"
    if lacking:
        finding += f", {lacking:,} lack one: wait until it is filled"
    if failed:
        finding += f", {failed:,} that are found today cannot be embedded by its model"
        finding += "" if accept_failures else ": --accept-failures loses them"
    return Probe("coverage", not lacking and (not failed or accept_failures), finding, share)


async def probe_index(database: Database, space: Space) -> Probe:
    """Ask whether the index of the space can be searched."""
    async with database.transaction() as connection:
        state = IndexState(await indexes.read_state(connection, space.id))
    if state is IndexState.VALID:
        return Probe("index", passed=True, finding="it has every vector")
    finding = f"it is {state.value}: mlp spaces reindex {space.id} builds it"
    return Probe("index", passed=False, finding=finding)


async def probe_nodes(database: Database, space: Space) -> Probe:
    """Ask whether every running embedding node has the model in memory."""
    async with database.transaction() as connection:
        nodes = await repository.list_nodes(connection, LIVE)
    without = [row["node"] for row in nodes if space.id not in row["spaces"]]
    if not nodes:
        return Probe("nodes", passed=False, finding="no embedding node runs: start the embedding service")
    if without:
        finding = f"{', '.join(without)} cannot embed for it: see its log, or `problem` in mlp spaces show {space.id}"
        return Probe("nodes", passed=False, finding=finding, value=1 - len(without) / len(nodes))
    return Probe("nodes", passed=True, finding=f"{len(nodes)} of {len(nodes)} have its model in memory", value=1.0)


async def probe_recall(database: Database, space: Space, *, at_least: float, progress: Progress | None = None) -> Probe:
    """Compare what the index finds with the true nearest vectors, for tenants that are searched by the index.

    Neighbours count by their distance, as items of equal distance are equally true.
    """
    found = wanted = 0
    tenants = await _large_tenants(database, space)
    for number, tenant in enumerate(tenants, start=1):
        async with database.transaction(tenant) as connection:
            vectors = await repository.sample_vectors(connection, space.id, QUERIES)
        for vector in vectors:
            async with database.transaction(tenant) as connection:
                true = await repository.search_exact(connection, space.id, vector, DEPTH)
            async with database.transaction(tenant) as connection:
                walked = await repository.search_index(connection, space.id, vector, DEPTH)
            farthest = max((distance for *_, distance in true), default=0.0)
            wanted += len(true)
            found += min(len(true), sum(distance <= farthest for distance in walked))
        if progress is not None:
            progress("recall", number, len(tenants))
    if not wanted:
        finding = f"no tenant has more than {COMPARED_ROWS:,} items, so every vector is compared"
        return Probe("recall", passed=True, finding=finding)
    recall = found / wanted
    finding = f"recall@{DEPTH} of the index is {recall:.4f}, at least {at_least:g} is wanted"
    return Probe("recall", recall >= at_least, finding, recall)


async def _large_tenants(database: Database, space: Space) -> list[str]:
    async with database.transaction() as connection:
        tenants = await repository.list_tenants(connection)
    sizes = {}
    for tenant in tenants:
        async with database.transaction(tenant) as connection:
            sizes[tenant] = await repository.count_vectors(connection, space.id, COMPARED_ROWS * 100)
    large = sorted(
        (tenant for tenant, size in sizes.items() if size > COMPARED_ROWS), key=lambda tenant: -sizes[tenant]
    )
    return large[:LARGEST_TENANTS]
