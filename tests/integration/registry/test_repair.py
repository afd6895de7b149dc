"""What becomes of a promotion that was interrupted."""

import pytest

from mlplatform.events import ModelPromoted
from mlplatform.registry.identity import Identity, Proof
from mlplatform.registry.stages import Stage
from mlplatform.registry.steps import Step
from mlplatform.registry.verification import Problem
from tests.integration.registry.requests import back, to, to_production

ADA, EVE = Identity("ada", Proof.OS), Identity("eve", Proof.OS)
BEGUN = [Step.INTENT, Step.PREVIOUS, Step.ALIAS, Step.MIRROR, Step.VERIFIED]


class CrashError(BaseException):
    """Stands for the end of the process: nothing handles it."""


@pytest.fixture
def crash(make_promoter):
    """Promote, and stop dead after a step."""

    async def run(step: Step, request) -> None:
        def stop(done: Step) -> None:
            if done is step:
                raise CrashError

        with pytest.raises(CrashError):
            await make_promoter(stop).promote(request)

    return run


@pytest.fixture
async def versions(bench, promoter):
    """Two versions, the first in production."""
    made = [bench.version(), bench.version()]
    await promoter.promote(to_production(made[0]))
    return made


class TestVerifyRepair:
    async def test_finishes_what_was_begun_whichever_step_was_the_last(
        self, *, crash, versions, bench, verification, rows
    ):
        targets = [versions[number % 2] for number in range(1, len(BEGUN) + 1)]
        for step, target in zip(BEGUN, targets, strict=True):
            await crash(step, to_production(target))
            (found,) = await verification.run(repair=False, actor=ADA, model=bench.name)
            assert found.problem is Problem.INTERRUPTED, step
            (remark,) = await verification.run(repair=True, actor=EVE)
            assert remark.problem is Problem.FINISHED, step
            left = next(version for version in versions if version is not target)
            assert bench.aliases() == {"production": target.version, "previous": left.version}, step
            assert (bench.stage(left), bench.stage(target)) == ("Archived", "Production"), step
            assert rows("audit_events")[-1]["detail"]["repaired_by"] == "eve"
        assert [row["state"] for row in rows("model_promotions")] == ["committed", *["repaired"] * len(BEGUN)]
        promoted = [row for row in rows("outbox") if row["type"] == ModelPromoted.event_type]
        assert len(promoted) == 1 + len(BEGUN)
        assert await verification.run(repair=True, actor=EVE) == []

    async def test_before_the_intent_there_is_nothing_to_repair(self, crash, versions, bench, verification, rows):
        await crash(Step.REPORT, to_production(versions[1]))
        assert await verification.run(repair=True, actor=EVE) == []
        assert bench.aliases() == {"production": "1"}
        assert len(rows("model_promotions")) == 1

    async def test_after_the_commit_neither(self, *, crash, versions, bench, verification, rows):
        await crash(Step.COMMITTED, to_production(versions[1]))
        assert await verification.run(repair=True, actor=EVE) == []
        assert bench.aliases() == {"production": "2", "previous": "1"}
        assert rows("model_promotions")[-1]["state"] == "committed"

    async def test_withdraws_a_version_that_was_deleted(self, crash, versions, bench, verification, rows):
        await crash(Step.ALIAS, to_production(versions[1]))
        bench.client.delete_model_version(bench.name, "2")
        (remark,) = await verification.run(repair=True, actor=EVE)
        assert remark.problem is Problem.WITHDRAWN
        assert bench.aliases() == {"production": "1"}
        assert "was deleted since" in rows("model_promotions")[-1]["failure"]

    async def test_withdraws_where_somebody_moved_the_alias(self, crash, versions, bench, verification):
        third = bench.version()
        await crash(Step.INTENT, to_production(versions[1]))
        bench.registry.set_alias(bench.name, "production", third.version)
        remarks = await verification.run(repair=True, actor=EVE)
        assert [remark.problem for remark in remarks] == [Problem.WITHDRAWN, Problem.MOVED]
        assert bench.aliases() == {"production": "3"}

    async def test_withdraws_with_the_stages_it_mirrored(self, crash, versions, bench, verification):
        third = bench.version()
        await crash(Step.MIRROR, to_production(versions[1]))
        bench.registry.set_alias(bench.name, "production", third.version)
        await verification.run(repair=True, actor=EVE)
        assert [bench.stage(version) for version in (*versions, third)] == ["Production", "None", "None"]

    async def test_withdraws_with_a_model_that_was_deleted(self, crash, versions, bench, verification):
        await crash(Step.INTENT, to_production(versions[1]))
        bench.client.delete_registered_model(bench.name)
        remarks = await verification.run(repair=True, actor=EVE)
        assert [remark.problem for remark in remarks] == [Problem.WITHDRAWN, Problem.UNREGISTERED]


class TestVerify:
    async def test_shows_what_was_moved_or_deleted(self, versions, promoter, bench, verification):
        await promoter.promote(to_production(versions[1]))
        bench.registry.delete_alias(bench.name, "production")
        bench.client.delete_model_version(bench.name, "1")
        remarks = await verification.run(repair=True, actor=ADA, model=bench.name)
        assert [remark.problem for remark in remarks] == [Problem.MOVED, Problem.DELETED]
        assert "@production points to no version, the ledger has 2" in remarks[0].message

    async def test_shows_stage_fields_and_repairs_them(self, versions, promoter, bench, verification):
        third = bench.version()
        await promoter.promote(to_production(versions[1]))
        bench.registry.mirror_stage(bench.name, third.version, "Production")
        bench.registry.mirror_stage(bench.name, versions[0].version, "Staging")
        found = await verification.run(repair=False, actor=ADA, model=bench.name)
        assert [remark.problem for remark in found] == [Problem.UNMIRRORED] * 3
        assert "version 2 said Archived, the ledger has Production" in found[1].message
        mended = await verification.run(repair=True, actor=ADA, model=bench.name)
        assert [remark.problem for remark in mended] == [Problem.MIRRORED] * 3
        assert [bench.stage(version) for version in (*versions, third)] == ["Archived", "Production", "None"]
        assert await verification.run(repair=False, actor=ADA, model=bench.name) == []


class TestNextPromotion:
    async def test_finishes_the_same_version(self, crash, versions, bench, promoter, rows):
        await crash(Step.PREVIOUS, to_production(versions[1]))
        outcome = await promoter.promote(to_production(versions[1]))
        assert not outcome.changed
        assert outcome.settled == rows("model_promotions")[-1]["id"]
        assert bench.aliases() == {"production": "2", "previous": "1"}

    async def test_withdraws_another_version_that_never_served(self, crash, versions, bench, promoter, rows):
        third = bench.version()
        await crash(Step.PREVIOUS, to_production(versions[1]))
        outcome = await promoter.promote(to_production(third))
        assert outcome.changed
        assert bench.aliases() == {"production": "3", "previous": "1"}
        assert [row["state"] for row in rows("model_promotions")] == ["committed", "failed", "committed"]

    async def test_puts_back_the_stages_that_were_mirrored(self, crash, versions, bench, promoter):
        third = bench.version()
        await crash(Step.MIRROR, to_production(versions[1]))
        assert (bench.stage(versions[0]), bench.stage(versions[1])) == ("Archived", "Production")
        await promoter.promote(to_production(third))
        assert [bench.stage(version) for version in (*versions, third)] == ["Archived", "None", "Production"]

    async def test_finishes_another_version_that_serves_already(self, crash, versions, bench, promoter, rows):
        third = bench.version()
        await crash(Step.ALIAS, to_production(versions[1]))
        await promoter.promote(to_production(third))
        assert bench.aliases() == {"production": "3", "previous": "2"}
        assert [row["state"] for row in rows("model_promotions")] == ["committed", "repaired", "committed"]

    async def test_finishes_what_goes_to_another_stage(self, crash, versions, bench, promoter):
        await crash(Step.INTENT, to(Stage.STAGING, versions[1]))
        await promoter.promote(to_production(versions[1]))
        assert bench.aliases() == {"production": "2", "staging": "2", "previous": "1"}

    async def test_a_rollback_finishes_it_and_goes_back(self, crash, versions, bench, promoter):
        await crash(Step.ALIAS, to_production(versions[1]))
        await promoter.rollback(back(bench.name))
        assert bench.aliases() == {"production": "1"}

    async def test_a_dry_run_leaves_it(self, crash, versions, promoter, rows):
        await crash(Step.INTENT, to_production(versions[1]))
        await promoter.promote(to_production(versions[1], dry_run=True))
        assert rows("model_promotions")[-1]["state"] == "intent"
