"""Moves and deletions past the platform."""

import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.registry.drift.detector import DriftDetector
from mlplatform.registry.identity import Identity, Proof
from mlplatform.registry.steps import Step
from tests.integration.registry.requests import to_production
from tests.integration.registry.test_repair import CrashError

EVE = Identity("eve", Proof.OS)


@pytest.fixture
def make_detector(database, registry, bench):
    """A replica that looks at the test's model only: the registry holds those of other tests as well."""

    class OneModel:
        def all_models(self):
            return [model for model in registry.all_models() if model.name == bench.name]

        def has_version(self, name, version):
            return registry.has_version(name, version)

    return lambda: DriftDetector(database, OneModel(), AuditLog(database))


@pytest.fixture
def detector(make_detector):
    return make_detector()


@pytest.fixture
async def versions(bench, promoter):
    """Two versions that were promoted one after the other."""
    made = [bench.version(), bench.version()]
    for version in made:
        await promoter.promote(to_production(version))
    return made


async def twice(detector):
    """Look as often as an alarm needs."""
    await detector.look()
    return await detector.look()


class TestLook:
    @pytest.mark.usefixtures("versions")
    async def test_promotions_are_no_drift(self, detector, promoter, bench):
        assert await twice(detector) == []
        await promoter.promote(to_production(bench.version()))
        assert await twice(detector) == []

    @pytest.mark.usefixtures("versions")
    async def test_an_alias_moved_by_hand_is_an_incident_until_it_is_promoted(self, detector, promoter, bench, rows):
        third = bench.version()
        bench.registry.set_alias(bench.name, "production", third.version)
        assert await detector.look() == []
        (incident,) = await detector.look()
        assert (incident.drift.kind, incident.drift.recorded, incident.drift.found) == ("moved", "2", "3")
        assert incident.is_new
        (again,) = await detector.look()
        assert not again.is_new
        assert again.id == incident.id
        audit = rows("audit_events")[-1]
        assert (audit["action"], audit["outcome"], audit["actor"]) == ("model.drifted", "moved", "model-serving")
        assert audit["detail"]["last_promotion_by"] == "ada"
        await promoter.promote(to_production(third))
        assert await twice(detector) == []
        assert rows("audit_events")[-1]["action"] == "model.drift_ended"
        assert rows("registry_drift")[0]["resolved_at"] is not None

    @pytest.mark.usefixtures("versions")
    async def test_a_deleted_version_is_an_incident(self, detector, bench):
        bench.client.delete_model_version(bench.name, "2")
        (incident,) = await twice(detector)
        assert (incident.drift.alias, incident.drift.kind) == ("production", "deleted")

    @pytest.mark.usefixtures("versions")
    async def test_a_deleted_model_is_an_incident_until_its_books_are_closed(self, detector, verification, bench):
        bench.client.delete_registered_model(bench.name)
        (incident,) = await twice(detector)
        assert incident.drift.kind == "unregistered"
        await verification.run(repair=True, actor=EVE, model=bench.name)
        assert await twice(detector) == []

    async def test_an_alias_set_past_the_gates_is_an_incident(self, detector, bench):
        version = bench.version()
        bench.registry.set_alias(bench.name, "production", version.version)
        (incident,) = await twice(detector)
        assert (incident.drift.kind, incident.drift.recorded, incident.drift.found) == ("unrecorded", None, "1")

    @pytest.mark.usefixtures("versions")
    async def test_every_replica_knows_and_one_writes(self, make_detector, bench, rows):
        bench.registry.delete_alias(bench.name, "production")
        one, other = make_detector(), make_detector()
        first, second = await twice(one), await twice(other)
        assert [incident.id for incident in first] == [incident.id for incident in second]
        assert (first[0].is_new, second[0].is_new) == (True, False)
        assert [row["action"] for row in rows("audit_events")].count("model.drifted") == 1

    async def test_an_incident_lasts_while_a_promotion_is_under_way(
        self, *, make_promoter, detector, versions, verification, bench, rows
    ):
        third = bench.version()
        bench.registry.set_alias(bench.name, "production", third.version)
        (incident,) = await twice(detector)

        def stop(step: Step) -> None:
            if step is Step.INTENT:
                raise CrashError

        with pytest.raises(CrashError):
            await make_promoter(stop).promote(to_production(versions[0]))
        assert [lasting.id for lasting in await twice(detector)] == [incident.id]
        assert rows("registry_drift")[0]["resolved_at"] is None
        await verification.run(repair=True, actor=EVE, model=bench.name)
        assert await twice(detector) == []
        assert [row["resolved_at"] is None for row in rows("registry_drift")] == [False]

    @pytest.mark.usefixtures("versions")
    async def test_an_incident_that_one_look_misses_goes_on(self, detector, bench, rows):
        third = bench.version()
        bench.registry.set_alias(bench.name, "production", third.version)
        (incident,) = await twice(detector)
        for alias in ("2", "3"):
            bench.registry.set_alias(bench.name, "production", alias)
            assert [lasting.id for lasting in await detector.look()] == [incident.id]
        assert [row["action"] for row in rows("audit_events")].count("model.drift_ended") == 0

    async def test_a_promotion_under_way_is_no_drift_and_an_old_one_is(
        self, make_promoter, detector, versions, database_urls
    ):
        def stop(step: Step) -> None:
            if step is Step.ALIAS:
                raise CrashError

        with pytest.raises(CrashError):
            await make_promoter(stop).promote(to_production(versions[0]))
        assert await twice(detector) == []
        with psycopg.connect(database_urls.owner) as connection:
            connection.execute("UPDATE model_promotions SET started_at = now() - interval '1 h' WHERE state = 'intent'")
        (incident,) = await twice(detector)
        assert incident.drift.kind == "interrupted"
        assert "verify --repair" in incident.drift.message
