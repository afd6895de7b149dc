"""A promotion whose process ends after any of its steps is done altogether or not at all once it is repaired."""

from collections import Counter
from collections.abc import Mapping

import orjson
import pytest
import redis

from mlplatform.registry.identity import Identity, Proof
from mlplatform.registry.publication import publish_outbox
from mlplatform.registry.steps import Step
from tests.integration.registry.crash import CRASHED
from tests.integration.registry.programs import crash, promote
from tests.integration.registry.requests import to_production

PROMOTED = "ml.model.promoted.v1"
UNDONE = {Step.REPORT}
"""After these nothing was begun."""
COMMITTED = {Step.COMMITTED, Step.PUBLISHED, Step.LOGGED}
EVE = Identity("eve", Proof.OS)


@pytest.fixture
def events(redis_url):
    """Read how often each promotion was told of."""

    def read() -> Mapping[int, int]:
        with redis.Redis.from_url(redis_url) as client:
            entries = client.xrange(PROMOTED)
        return Counter(orjson.loads(entry[b"event"])["data"]["promotion_id"] for _, entry in entries)

    return read


@pytest.fixture
async def versions(bench, promoter):
    """Two versions, the first in production."""
    made = [bench.version(), bench.version()]
    await promoter.promote(to_production(made[0]))
    return made


class TestCrash:
    @pytest.mark.parametrize("step", list(Step))
    async def test_all_or_nothing(self, *, step, versions, bench, verification, settings, rows, events):
        old, new = versions
        crashed = crash(
            step, "--model", bench.name, "--stage", "Production", "--version", new.version, "--actor", "ada"
        )
        assert crashed.returncode == CRASHED, crashed.stderr
        await verification.run(repair=True, actor=EVE)
        await publish_outbox(settings)

        ledger, audit = rows("model_promotions"), rows("audit_events")
        if step in UNDONE:
            assert bench.aliases() == {"production": old.version}
            assert (bench.stage(old), bench.stage(new)) == ("Production", "None")
            assert len(ledger) == len(audit) == 1
            assert events() == {ledger[0]["id"]: 1}
        else:
            assert bench.aliases() == {"production": new.version, "previous": old.version}
            assert (bench.stage(old), bench.stage(new)) == ("Archived", "Production")
            expected = "committed" if step in COMMITTED else "repaired"
            assert [row["state"] for row in ledger] == ["committed", expected]
            assert [row["action"] for row in audit] == ["model.promoted"] * 2
            assert [row["detail"]["promotion_id"] for row in audit] == [row["id"] for row in ledger]
            assert events() == {row["id"]: 1 for row in ledger}
        assert await verification.run(repair=True, actor=EVE) == []

    @pytest.mark.usefixtures("versions")
    def test_the_script_repairs_and_tells_the_services(self, bench, rows, events):
        options = ("--model", bench.name, "--stage", "Production", "--version", "2", "--actor", "ada")
        assert crash(Step.ALIAS, *options).returncode == CRASHED
        found = promote("verify", "--model", bench.name)
        assert found.returncode == 3
        assert "was interrupted" in found.stdout
        repaired = promote("verify", "--repair", "--actor", "eve")
        assert repaired.returncode == 0, repaired.stderr
        assert f"{bench.name}: finished: " in repaired.stdout
        assert bench.aliases() == {"production": "2", "previous": "1"}
        assert events() == {row["id"]: 1 for row in rows("model_promotions")}

    async def test_a_rollback_that_was_interrupted(self, *, versions, bench, promoter, verification, rows):
        await promoter.promote(to_production(versions[1]))
        assert crash(Step.PREVIOUS, "--model", bench.name, "--rollback").returncode == CRASHED
        await verification.run(repair=True, actor=EVE)
        assert bench.aliases() == {"production": "1"}
        assert [row["action"] for row in rows("audit_events")] == ["model.promoted"] * 2 + ["model.rolled_back"]
