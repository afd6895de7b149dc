"""Deleting versions, and what holds them."""

from datetime import timedelta

import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.registry.deletion import Deleter
from mlplatform.registry.errors import PromotionRefused, VersionNotFound
from mlplatform.registry.stages import Stage
from tests.integration.registry.requests import back, to, to_production


@pytest.fixture
def delete(settings, registry, promoter):
    """Delete a version, which is kept for as long as the test says."""

    async def run(version, *, keep: timedelta = timedelta(0), **options):
        limits = settings.model_copy(update={"promotion_keep_live": keep})
        audit = AuditLog(Database(settings.database_url.get_secret_value()))
        return await Deleter(limits, registry, promoter, audit).delete(to(Stage.ARCHIVED, version, **options))

    return run


class TestDelete:
    async def test_a_version_that_nothing_holds(self, bench, delete, rows):
        version = bench.version()
        assert (await delete(version, reason="a mistake")).changed
        assert not bench.registry.has_version(bench.name, "1")
        assert [(row["action"], row["outcome"]) for row in rows("audit_events")] == [
            ("model.version_deleted", "begun"),
            ("model.version_deleted", "done"),
        ]
        with pytest.raises(VersionNotFound):
            await delete(version)

    async def test_an_alias_of_any_name_holds_it(self, bench, promoter, delete):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to_production(second))
        bench.registry.set_alias(bench.name, "champion", second.version)
        with pytest.raises(PromotionRefused, match=r"the alias @champion points to it; the alias @production"):
            await delete(second)
        with pytest.raises(PromotionRefused, match="the alias @previous points to it"):
            await delete(first)
        assert bench.registry.has_version(bench.name, "1")

    async def test_production_by_the_ledger_holds_it_without_its_alias(self, bench, promoter, delete):
        version = bench.version()
        await promoter.promote(to_production(version))
        bench.registry.delete_alias(bench.name, "production")
        with pytest.raises(PromotionRefused, match="the ledger has it as @production"):
            await delete(version)

    async def test_what_served_lately_is_kept(self, bench, promoter, delete):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to_production(second))
        await promoter.rollback(back(bench.name))
        with pytest.raises(PromotionRefused, match=r"it was in production until .*ML_PROMOTION_KEEP_LIVE"):
            await delete(second, keep=timedelta(days=7))
        assert (await delete(second)).changed

    async def test_takes_it_off_the_way_back(self, bench, promoter, delete, rows):
        versions = [bench.version() for _ in range(3)]
        for version in versions:
            await promoter.promote(to_production(version))
        deleted = await delete(versions[0])
        assert deleted.archived == rows("model_promotions")[-1]["id"]
        await promoter.rollback(back(bench.name))
        with pytest.raises(PromotionRefused, match="was in production before"):
            await promoter.rollback(back(bench.name))

    async def test_traffic_holds_it(self, bench, delete, database_urls):
        version = bench.version()
        with psycopg.connect(database_urls.owner) as connection:
            connection.execute("DROP TABLE IF EXISTS model_traffic CASCADE")
            connection.execute("CREATE TABLE model_traffic (model text PRIMARY KEY, document jsonb)")
            connection.execute("GRANT SELECT ON model_traffic TO ml_app")
            document = '{"canary": {"target": {"version": "1"}, "percent": 10}}'
            connection.execute("INSERT INTO model_traffic VALUES (%s, %s)", (bench.name, document))
        with pytest.raises(PromotionRefused, match="traffic is routed to it"):
            await delete(version)

    async def test_a_dry_run_deletes_nothing(self, bench, delete, rows):
        assert not (await delete(bench.version(), dry_run=True)).changed
        assert bench.registry.has_version(bench.name, "1")
        assert rows("audit_events") == []
