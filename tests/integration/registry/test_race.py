"""Two people promote at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import redis

from tests.integration.registry.programs import promote
from tests.integration.registry.requests import to_production


def race(bench, *options: str) -> list[int]:
    """Promote versions 2 and 3 by two processes, and return their exit codes."""
    common = ("--model", bench.name, "--stage", "Production", *options)

    def run(version: str) -> int:
        return promote(*common, "--version", version, "--actor", f"racer-{version}").returncode

    with ThreadPoolExecutor() as threads:
        return list(threads.map(run, ("2", "3")))


@pytest.fixture
async def versions(bench, promoter):
    """Three versions, the first in production."""
    made = [bench.version(), bench.version(), bench.version()]
    await promoter.promote(to_production(made[0]))
    return made


@pytest.fixture
def told(redis_url):
    """Read how often each promotion was told of."""

    def read() -> Counter[int]:
        with redis.Redis.from_url(redis_url) as client:
            entries = client.xrange("ml.model.promoted.v1")
        return Counter(orjson.loads(entry[b"event"])["data"]["promotion_id"] for _, entry in entries)

    return read


@pytest.mark.usefixtures("versions")
class TestRace:
    def test_of_two_that_expect_the_same_version_one_wins(self, bench, rows, told):
        codes = race(bench, "--expect-current", "1")
        assert sorted(codes) == [0, 3]
        winner = "2" if codes[0] == 0 else "3"
        assert bench.aliases() == {"production": winner, "previous": "1"}
        ledger = rows("model_promotions")
        assert [(row["to_version"], row["state"]) for row in ledger] == [("1", "committed"), (winner, "committed")]
        assert told() == {row["id"]: 1 for row in ledger}
        assert len(rows("audit_events")) == len(ledger)

    def test_two_that_expect_nothing_go_one_after_the_other(self, bench, rows, told):
        assert race(bench) == [0, 0]
        ledger = rows("model_promotions")
        assert [row["from_version"] for row in ledger] == [None, "1", ledger[1]["to_version"]]
        last = ledger[-1]
        assert bench.aliases() == {"production": last["to_version"], "previous": last["from_version"]}
        assert told() == {row["id"]: 1 for row in ledger}
