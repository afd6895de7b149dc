"""Moving versions between stages."""

import asyncio
from dataclasses import replace

import orjson
import pytest
import redis

from mlplatform.objects import ObjectStore
from mlplatform.registry.errors import GateBlocked, ModelNotFound, PromotionRefused, RegistryRefused, VersionNotFound
from mlplatform.registry.identity import Identity, Proof
from mlplatform.registry.ledger import Action
from mlplatform.registry.report import report_key
from mlplatform.registry.request import PromotionRequest
from mlplatform.registry.session import locked
from mlplatform.registry.stages import Stage
from mlplatform.registry.steps import Step
from mlplatform.registry.verification import Problem
from tests.integration.registry.requests import ACTOR, back, to, to_production

PROMOTED = "ml.model.promoted.v1"


class TestPromote:
    async def test_the_first_version_reaches_production(self, promoter, bench, settings, rows, redis_url):
        version = bench.version()
        outcome = await promoter.promote(replace(to_production(version, reason="first"), version=None))
        assert outcome.changed
        assert outcome.published
        assert (outcome.from_version, outcome.version) == (None, "1")
        assert bench.aliases() == {"production": "1"}
        assert bench.stage(version) == "Production"

        (row,) = rows("model_promotions")
        assert (row["state"], row["actor"], row["reason"], row["action"]) == ("committed", ACTOR, "first", "promote")
        assert row["artifact_digest"] == version.digest
        objects = ObjectStore(settings)
        report = orjson.loads(await objects.get(report_key(bench.name, row["id"])))
        objects.close()
        assert outcome.report_uri == row["gate_report_uri"] == f"s3://{settings.s3_bucket}/{report_key(bench.name, 1)}"
        assert [finding["gate"] for finding in report["findings"]] == [
            "digest",
            "signature",
            "metrics",
            "serialization",
            "servability",
            "approval",
        ]
        assert report["passed"] is True

        (audit,) = rows("audit_events")
        assert (audit["actor"], audit["action"]) == (ACTOR, "model.promoted")
        assert audit["detail"]["promotion_id"] == row["id"]
        with redis.Redis.from_url(redis_url) as client:
            ((_, entry),) = client.xrange(PROMOTED)
        event = orjson.loads(entry[b"event"])
        assert event["data"] == {
            "model": bench.name,
            "stage": "Production",
            "version": "1",
            "previous_version": None,
            "digest": version.digest,
            "actor": ACTOR,
            "promotion_id": row["id"],
        }

    async def test_what_is_so_already_is_left_so(self, promoter, bench, rows):
        version = bench.version()
        await promoter.promote(to_production(version))
        outcome = await promoter.promote(to_production(version))
        assert not outcome.changed
        assert outcome.promotion_id is None
        assert len(rows("model_promotions")) == 1

    async def test_the_next_version_leaves_a_way_back(self, promoter, bench):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        outcome = await promoter.promote(to_production(second))
        assert outcome.from_version == "1"
        assert bench.aliases() == {"production": "2", "previous": "1"}
        assert (bench.stage(first), bench.stage(second)) == ("Archived", "Production")

    async def test_staging_leaves_production_alone(self, promoter, bench):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to(Stage.STAGING, second))
        assert bench.aliases() == {"production": "1", "staging": "2"}
        assert (bench.stage(first), bench.stage(second)) == ("Production", "Staging")

    async def test_a_version_in_both_stages_is_mirrored_as_production(self, promoter, bench):
        version, other = bench.version(), bench.version()
        await promoter.promote(to_production(version))
        await promoter.promote(to(Stage.STAGING, version))
        assert bench.aliases() == {"production": "1", "staging": "1"}
        assert bench.stage(version) == "Production"
        await promoter.promote(to_production(other))
        assert (bench.stage(version), bench.stage(other)) == ("Staging", "Production")

    async def test_a_dry_run_changes_nothing(self, promoter, bench, rows):
        outcome = await promoter.promote(to_production(bench.version(), dry_run=True))
        assert not outcome.changed
        assert outcome.report is not None
        assert outcome.report.passed
        assert bench.aliases() == {}
        assert rows("model_promotions") == []

    async def test_the_expected_version_is_compared(self, promoter, bench, rows):
        first, second, third = bench.version(), bench.version(), bench.version()
        await promoter.promote(to_production(first, expect_current="none"))
        await promoter.promote(to_production(second, expect_current="1"))
        with pytest.raises(PromotionRefused, match="is 2, not 1"):
            await promoter.promote(to_production(third, expect_current="1"))
        assert bench.aliases()["production"] == "2"
        assert len(rows("model_promotions")) == 2

    async def test_a_version_registered_by_plain_mlflow_gets_its_digest(self, promoter, bench):
        uri = bench.log()
        bench.client.create_registered_model(bench.name)
        bench.client.create_model_version(bench.name, uri, model_id=uri.removeprefix("models:/"))
        bare = bench.registry.get_version(bench.name, "1")
        assert bare.digest is None
        await promoter.promote(to_production(bare))
        recorded = bench.registry.get_version(bench.name, "1").digest
        assert recorded is not None
        assert len(recorded) == 64

    async def test_unknown_names(self, promoter, bench):
        with pytest.raises(ModelNotFound):
            await promoter.promote(back(bench.name))
        version = bench.version()
        with pytest.raises(VersionNotFound):
            await promoter.promote(replace(to_production(version), version="9"))
        bench.client.delete_model_version(bench.name, "1")
        with pytest.raises(PromotionRefused, match="has no version"):
            await promoter.promote(replace(to_production(version), version=None))

    async def test_one_at_a_time(self, promoter, bench, rows):
        versions = [bench.version(), bench.version(), bench.version()]
        await asyncio.gather(*(promoter.promote(to_production(version)) for version in versions))
        ledger = rows("model_promotions")
        assert {row["state"] for row in ledger} == {"committed"}
        assert sorted(row["to_version"] for row in ledger) == ["1", "2", "3"]
        assert [row["from_version"] for row in ledger] == [None, *(row["to_version"] for row in ledger[:-1])]
        last = ledger[-1]
        assert bench.aliases() == {"production": last["to_version"], "previous": last["from_version"]}

    async def test_whoever_waits_too_long_is_refused(self, promoter, bench, settings):
        version = bench.version()
        promoter._settings = settings.model_copy(update={"promotion_wait": settings.promotion_wait / 1000})
        async with locked(settings, bench.name):
            with pytest.raises(PromotionRefused, match="Another promotion of"):
                await promoter.promote(to_production(version))
        assert (await promoter.promote(to_production(version))).changed

    async def test_an_alias_that_is_moved_meanwhile_fails_it(self, make_promoter, bench, rows):
        first, second = bench.version(), bench.version()

        def interfere(step: Step) -> None:
            if step is Step.ALIAS:
                bench.registry.set_alias(bench.name, "production", second.version)

        with pytest.raises(PromotionRefused, match="points to version 2, not to 1"):
            await make_promoter(interfere).promote(to_production(first))
        (row,) = rows("model_promotions")
        assert row["state"] == "failed"
        assert "moved it meanwhile" in row["failure"]
        assert rows("audit_events") == []

    async def test_one_that_fails_leaves_the_rest_as_it_was(self, *, make_promoter, promoter, bench, verification):
        versions = [bench.version(), bench.version(), bench.version()]
        await promoter.promote(to_production(versions[0]))

        def interfere(step: Step) -> None:
            if step is Step.ALIAS:
                bench.registry.set_alias(bench.name, "production", "3")

        with pytest.raises(PromotionRefused, match="points to version 3, not to 2"):
            await make_promoter(interfere).promote(to_production(versions[1]))
        assert bench.aliases() == {"production": "3"}
        assert [bench.stage(version) for version in versions] == ["Production", "None", "None"]
        remarks = await verification.run(repair=False, actor=Identity(ACTOR, Proof.OS), model=bench.name)
        assert [remark.problem for remark in remarks] == [Problem.MOVED]

    async def test_one_that_mlflow_refuses_leaves_the_rest_as_it_was(self, make_promoter, promoter, bench, rows):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))

        def interfere(step: Step) -> None:
            if step is Step.MIRROR:
                bench.client.delete_model_version(bench.name, "2")

        with pytest.raises(RegistryRefused):
            await make_promoter(interfere).promote(to_production(second))
        assert bench.aliases() == {"production": "1"}
        assert bench.stage(first) == "Production"
        assert rows("model_promotions")[-1]["state"] == "failed"


class TestRollback:
    async def test_goes_back_and_further_back(self, promoter, bench, rows):
        for version in (bench.version(), bench.version(), bench.version()):
            await promoter.promote(to_production(version))
        outcome = await promoter.rollback(back(bench.name, reason="worse"))
        assert (outcome.action, outcome.from_version, outcome.version) == (Action.ROLLBACK, "3", "2")
        assert bench.aliases() == {"production": "2", "previous": "1"}
        assert outcome.report is not None
        assert [finding.gate for finding in outcome.report.findings] == ["digest"]
        await promoter.rollback(back(bench.name))
        assert bench.aliases() == {"production": "1"}
        with pytest.raises(PromotionRefused, match="was in production before"):
            await promoter.rollback(back(bench.name))
        assert [row["action"] for row in rows("audit_events")][-1] == "model.rolled_back"

    async def test_undoes_a_move_past_the_platform(self, promoter, bench):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        bench.registry.set_alias(bench.name, "production", second.version)
        await promoter.rollback(back(bench.name))
        assert bench.aliases() == {"production": "1"}

    async def test_never_goes_to_a_version_that_passed_no_gate(self, promoter, bench):
        first, by_hand, third = bench.version(), bench.version(), bench.version()
        await promoter.promote(to_production(first))
        bench.registry.set_alias(bench.name, "production", by_hand.version)
        await promoter.promote(to_production(third))
        assert bench.aliases() == {"production": "3", "previous": "1"}
        await promoter.rollback(back(bench.name))
        assert bench.aliases() == {"production": "1"}

    async def test_a_deleted_version_is_no_way_back(self, promoter, bench):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to_production(second))
        bench.client.delete_model_version(bench.name, "1")
        with pytest.raises(PromotionRefused, match="was deleted"):
            await promoter.rollback(back(bench.name))
        assert bench.aliases() == {"production": "2"}

    async def test_changed_artifacts_stop_it(self, promoter, bench):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to_production(second))
        bench.tamper(first)
        with pytest.raises(GateBlocked, match="did not pass: digest"):
            await promoter.rollback(back(bench.name))
        assert bench.aliases()["production"] == "2"

    async def test_the_expected_version_is_compared(self, promoter, bench):
        for version in (bench.version(), bench.version()):
            await promoter.promote(to_production(version))
        with pytest.raises(PromotionRefused, match="is 2, not 7"):
            await promoter.rollback(back(bench.name, expect_current="7"))


class TestArchive:
    def request(self, version, **options) -> PromotionRequest:
        return to(Stage.ARCHIVED, version, **options)

    async def test_takes_the_aliases_off(self, promoter, bench, rows):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to(Stage.STAGING, second))
        outcome = await promoter.archive(self.request(second))
        assert outcome.changed
        assert bench.aliases() == {"production": "1"}
        assert bench.stage(second) == "Archived"
        assert rows("model_promotions")[-1]["gate_report_uri"] is None
        assert not (await promoter.archive(self.request(second))).changed

    async def test_what_serves_needs_force(self, promoter, bench):
        first, second = bench.version(), bench.version()
        await promoter.promote(to_production(first))
        await promoter.promote(to_production(second))
        with pytest.raises(PromotionRefused, match="is in production"):
            await promoter.archive(self.request(second))
        await promoter.archive(self.request(second, force=True))
        assert bench.aliases() == {"previous": "1"}
        await promoter.rollback(back(bench.name))
        assert bench.aliases() == {"production": "1"}

    async def test_one_that_fails_leaves_the_stage_as_it_was(self, make_promoter, promoter, bench, rows):
        version = bench.version()
        await promoter.promote(to_production(version))
        await promoter.promote(to(Stage.STAGING, version))

        def interfere(step: Step) -> None:
            if step is Step.ALIAS:
                bench.registry.set_alias(bench.name, "production", version.version)

        with pytest.raises(PromotionRefused, match="points to version 1 again"):
            await make_promoter(interfere).archive(self.request(version, force=True))
        assert bench.aliases() == {"production": "1", "staging": "1"}
        assert bench.stage(version) == "Production"
        assert rows("model_promotions")[-1]["state"] == "failed"

    async def test_takes_a_version_off_the_way_back(self, promoter, bench):
        versions = [bench.version(), bench.version(), bench.version()]
        for version in versions:
            await promoter.promote(to_production(version))
        await promoter.archive(self.request(versions[1]))
        assert bench.aliases() == {"production": "3", "previous": "1"}

    async def test_a_dry_run_changes_nothing(self, promoter, bench):
        version = bench.version()
        await promoter.promote(to(Stage.STAGING, version))
        assert not (await promoter.archive(self.request(version, dry_run=True))).changed
        assert bench.aliases() == {"staging": "1"}
