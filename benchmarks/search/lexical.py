"""Measure lexical search: rate of writing, time of a query, size, on texts of natural word frequencies.

    python benchmarks/search/lexical.py [--items 100000] [--clients 4] [--seconds 20] [--keep]

Works on the database of the stack as the tenant `bench-lexical`, whose items it deletes afterwards. Writes through the
repository of the search service, without embedding, and asks through the lexical leg. Words are drawn by Zipf's law
(the word of rank r with weight 1/(r + 2.7), 200,000 of them, none a stop word), a text has 20 to 80 of them. Queries
are of two to eight words: half of them words that stand in one text, rare and frequent ones as they come, and half
drawn like texts, so mostly frequent ones, which is the hardest that a user can ask. Writes the figures to
benchmarks/results/search-lexical-<items>.json.
"""

import argparse
import asyncio
import itertools
import os
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from mlplatform.database import Database
from mlplatform.settings import PlatformSettings
from services.search import repository
from services.search.filters import Filters
from services.search.items import Item
from services.search.lexical import BlockMemory, LexicalLeg, LexicalMaintenance, parse_query
from services.search.settings import SearchSettings

RESULTS = Path(__file__).resolve().parents[1] / "results"
TENANT = "bench-lexical"
VOCABULARY = 200_000
LIMIT = 300
LETTERS = "bcdfghjklmnpqrtvwxz"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure lexical search on the database of the stack.")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=1000, help="items of one transaction")
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20, help="how long to ask queries")
    parser.add_argument("--keep", action="store_true", help="leave the items, and use those of an earlier run")
    options = parser.parse_args()
    figures = asyncio.run(_measure(options))
    table = Table("figure", "value", title=f"lexical search, {options.items:,} items")
    for name, value in figures.items():
        table.add_row(name, f"{value:,}")
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    result = {"date": datetime.now(UTC).date().isoformat(), "cores": os.cpu_count(), **figures}
    path = RESULTS / f"search-lexical-{options.items}.json"
    path.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


async def _measure(options: argparse.Namespace) -> dict[str, float]:
    database = Database(
        PlatformSettings().database_url.get_secret_value(), max_size=16, statement_timeout=timedelta(minutes=5)
    )
    await database.open()
    texts = Texts(random.Random(0))  # noqa: S311 - makes texts
    figures: dict[str, float] = {"items": options.items}
    async with database.transaction(TENANT) as connection:
        stored = await (await connection.execute("SELECT count(*) AS items FROM search_items")).fetchone()
    if stored is None or stored["items"] != options.items:
        figures |= await _write(database, texts, options)
    figures |= await _sizes(database)
    figures |= await _ask(database, texts, options)
    figures |= await _write_one_by_one(database, texts)
    if not options.keep:
        await _delete(database, options.items)
    await database.close()
    return figures


class Texts:
    """Texts and queries of natural word frequencies."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        syllables = ["".join(pair) for pair in itertools.product(LETTERS, "aeiou")]
        words = ("".join(parts) for parts in itertools.product(syllables, repeat=3))
        self._words = [f"{word}k" for word in itertools.islice(words, VOCABULARY)]
        chance.shuffle(self._words)
        self._weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(1, VOCABULARY + 1)))

    def text(self) -> str:
        """Return 20 to 80 words."""
        return " ".join(self._draw(self._chance.randint(20, 80)))

    def query(self) -> str:
        """Return two to eight words, in every second query different ones of a text."""
        size = self._chance.randint(2, 8)
        if self._chance.random() < 0.5:
            return " ".join(self._draw(size))
        return " ".join(self._chance.sample(sorted(set(self._draw(50))), size))

    def _draw(self, size: int) -> list[str]:
        return self._chance.choices(self._words, cum_weights=self._weights, k=size)


def _batches(texts: Texts, items: int, size: int) -> Iterator[list[Item]]:
    for start in range(0, items, size):
        yield [Item("doc", str(number), texts.text()) for number in range(start, min(start + size, items))]


async def _write(database: Database, texts: Texts, options: argparse.Namespace) -> dict[str, float]:
    """Write all items with several connections, and let the maintenance run beside, as in the service."""
    made = list(_batches(texts, options.items, options.batch))
    batches = iter(made)
    maintenance = LexicalMaintenance(database, interval=timedelta(seconds=1))

    async def write() -> None:
        for batch in batches:
            async with database.transaction(TENANT) as connection:
                await repository.save_items(connection, batch)

    task = asyncio.create_task(maintenance.run())
    started = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(options.writers)))
    seconds = time.perf_counter() - started
    maintenance.stop()
    await task
    started = time.perf_counter()
    await LexicalMaintenance(database, interval=timedelta(seconds=1)).settle()
    return {
        "write_items_per_second": round(options.items / seconds),
        "settle_seconds": round(time.perf_counter() - started, 1),
    }


async def _sizes(database: Database) -> dict[str, float]:
    async with database.transaction(TENANT) as connection:
        cursor = await connection.execute(
            """
            SELECT pg_total_relation_size('search_postings') / 1048576 AS postings_mib,
                pg_total_relation_size('search_documents') / 1048576 AS documents_mib,
                (SELECT count(*) FROM search_segments) AS segments,
                (SELECT sum(entries) FROM search_segments) AS postings
            """
        )
        row = await cursor.fetchone()
    return {} if row is None else {name: int(value) for name, value in row.items()}


async def _ask(database: Database, texts: Texts, options: argparse.Namespace) -> dict[str, float]:
    """Ask from several clients at once; every client is a transaction per query, as in the service."""
    milliseconds: list[float] = []
    until = time.perf_counter() + options.seconds
    leg = LexicalLeg(BlockMemory(SearchSettings().search_postings_memory))

    async def ask() -> None:
        while time.perf_counter() < until:
            query = texts.query()
            started = time.perf_counter()
            async with database.transaction(TENANT) as connection:
                await leg.search(connection, TENANT, parse_query(query), Filters(), LIMIT)
            milliseconds.append((time.perf_counter() - started) * 1000)

    await asyncio.gather(*(ask() for _ in range(options.clients)))
    return {
        "clients": options.clients,
        "queries": len(milliseconds),
        **{f"query_ms_p{percent}": _quantile(milliseconds, percent) for percent in (50, 95, 99)},
    }


async def _write_one_by_one(database: Database, texts: Texts) -> dict[str, float]:
    """Replace single items, each in a transaction."""
    milliseconds: list[float] = []
    for number in range(200):
        item = Item("doc", str(number), texts.text())
        started = time.perf_counter()
        async with database.transaction(TENANT) as connection:
            await repository.save_items(connection, [item])
        milliseconds.append((time.perf_counter() - started) * 1000)
    return {f"replace_one_ms_p{percent}": _quantile(milliseconds, percent) for percent in (50, 95)}


async def _delete(database: Database, items: int) -> None:
    for start in range(0, items, 5000):
        async with database.transaction(TENANT) as connection:
            await repository.delete_items(connection, "doc", [str(n) for n in range(start, start + 5000)])
    await LexicalMaintenance(database, interval=timedelta(seconds=1)).settle()


def _quantile(values: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100)[percent - 1], 2)


if __name__ == "__main__":
    main()
