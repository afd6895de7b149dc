"""Another person's yes, on real tables."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.registry.approvals.approval import Decision
from mlplatform.registry.approvals.approver import Approver, DecisionRequest
from mlplatform.registry.approvals.book import ApprovalBook
from mlplatform.registry.errors import ApprovalMissing, GateBlocked, PromotionRefused, VersionNotFound
from mlplatform.registry.identity import Identity, Proof
from mlplatform.registry.stages import Stage
from tests.integration.registry.requests import back, to, to_production

ADA, EVE, KIM = (Identity(name, Proof.OS) for name in ("ada", "eve", "kim"))


@pytest.fixture
def required(environment):
    environment.setenv("ML_PROMOTION_REQUIRE_APPROVAL", "true")


@pytest.fixture
def decide(settings, registry, bench):
    """Decide on a version of the test's model."""

    async def run(who: Identity, what: Decision, version: str = "1", **options):
        changes = {"promotion_approval_ttl": options.pop("ttl")} if "ttl" in options else {}
        audit = AuditLog(Database(settings.database_url.get_secret_value()))
        request = DecisionRequest(
            model=bench.name, version=version, stage=Stage.PRODUCTION, decision=what, identity=who, **options
        )
        return await Approver(settings.model_copy(update=changes), registry, audit).decide(request)

    return run


def asked(version, **options):
    """Ada asks for a version in production, and is Ada."""
    return to_production(version, proof=Proof.OS, **options)


@pytest.mark.usefixtures("required")
class TestPromotion:
    async def test_waits_for_another_person(self, bench, promoter, decide, rows):
        version = bench.version()
        with pytest.raises(ApprovalMissing) as missing:
            await promoter.promote(asked(version))
        command = f"promote_model.py --model {bench.name} --version 1 --stage Production --approve"
        assert command in missing.value.detail
        assert (bench.aliases(), rows("model_promotions")) == ({}, [])
        await decide(EVE, Decision.APPROVED, reason="looked at the report")
        assert (await promoter.promote(asked(version))).changed
        assert [row["action"] for row in rows("audit_events")] == ["model.approved", "model.promoted"]
        assert rows("model_promotions")[0]["identity"] == "os"

    async def test_nobody_approves_for_themselves(self, bench, promoter, decide):
        version = bench.version()
        await decide(ADA, Decision.APPROVED)
        with pytest.raises(ApprovalMissing, match="ada approved it and cannot be the one who promotes it"):
            await promoter.promote(asked(version))

    async def test_a_name_that_is_only_given_does_not_do(self, bench, promoter, decide):
        version = bench.version()
        with pytest.raises(PromotionRefused, match="Nothing proves that you are ada"):
            await promoter.promote(to_production(version))
        with pytest.raises(PromotionRefused, match="Nothing proves that you are eve"):
            await decide(replace(EVE, proof=Proof.DECLARED), Decision.APPROVED)

    async def test_an_approval_expires(self, bench, promoter, decide):
        version = bench.version()
        await decide(EVE, Decision.APPROVED, ttl=timedelta(microseconds=1))
        with pytest.raises(ApprovalMissing, match="The approval of eve expired"):
            await promoter.promote(asked(version))
        assert (await decide(EVE, Decision.APPROVED)).changed
        assert (await promoter.promote(asked(version))).changed

    async def test_a_later_decision_takes_it_back(self, bench, promoter, decide):
        version = bench.version()
        await decide(EVE, Decision.APPROVED)
        await decide(KIM, Decision.REJECTED, reason="it leaks the target")
        with pytest.raises(ApprovalMissing, match=r"kim rejected it .*it leaks the target"):
            await promoter.promote(asked(version))
        await decide(KIM, Decision.REVOKED)
        with pytest.raises(ApprovalMissing, match="kim revoked it"):
            await promoter.promote(asked(version))
        with pytest.raises(PromotionRefused, match="neither approved nor rejected"):
            await decide(KIM, Decision.REVOKED)

    async def test_it_is_for_one_version_one_stage_and_its_bytes(self, bench, promoter, decide, rows):
        first, second = bench.version(), bench.version()
        await decide(EVE, Decision.APPROVED)
        with pytest.raises(ApprovalMissing, match="Nobody approved it"):
            await promoter.promote(asked(second))
        (row,) = rows("promotion_approvals")
        assert row["artifact_digest"] == first.digest
        bench.tamper(first)
        with pytest.raises(GateBlocked, match="did not pass: digest"):
            await promoter.promote(asked(first))

    async def test_other_gates_come_before_it(self, bench, promoter):
        with pytest.raises(GateBlocked, match="did not pass: signature, approval"):
            await promoter.promote(asked(bench.version(example=False)))

    async def test_staging_and_the_way_back_need_none(self, bench, promoter, decide):
        first, second = bench.version(), bench.version()
        assert (await promoter.promote(to(Stage.STAGING, first))).changed
        for version in (first, second):
            await decide(EVE, Decision.APPROVED, version.version)
            await promoter.promote(asked(version))
        assert (await promoter.rollback(back(bench.name))).version == "1"


class TestDecide:
    async def test_the_author_of_a_version_does_not_approve_it(self, bench, decide):
        version = bench.version()
        bench.client.set_tag(version.run_id, "mlflow.user", "eve")
        with pytest.raises(PromotionRefused, match=r"eve made .* Another person approves it"):
            await decide(EVE, Decision.APPROVED)
        assert (await decide(EVE, Decision.REJECTED, reason="mine, and bad")).changed
        assert (await decide(KIM, Decision.APPROVED)).changed

    async def test_the_same_again_writes_nothing(self, bench, decide, rows):
        bench.version()
        first, again = await decide(EVE, Decision.APPROVED), await decide(EVE, Decision.APPROVED)
        assert (first.changed, again.changed) == (True, False)
        assert len(rows("promotion_approvals")) == 1

    async def test_a_dry_run_writes_nothing(self, bench, decide, rows):
        bench.version()
        assert not (await decide(EVE, Decision.APPROVED, dry_run=True)).changed
        assert rows("promotion_approvals") == []

    async def test_a_version_that_is_not_there(self, bench, decide):
        bench.version()
        with pytest.raises(VersionNotFound):
            await decide(EVE, Decision.APPROVED, "9")


class TestBook:
    async def test_pages_newest_first(self, bench, decide, database_urls):
        bench.version()
        for who in (EVE, KIM):
            await decide(who, Decision.APPROVED)
        database = Database(database_urls.app, max_size=1)
        await database.open()
        book = ApprovalBook(database)
        newest, cursor = await book.list(bench.name, limit=1)
        oldest, end = await book.list(bench.name, limit=1, cursor=cursor)
        await database.close()
        assert [entry.approver for entry in (*newest, *oldest)] == ["kim", "eve"]
        assert end is None


class TestTable:
    async def test_what_was_decided_stays_so(self, bench, decide, database_urls):
        bench.version()
        await decide(EVE, Decision.APPROVED)
        for url in (database_urls.app, database_urls.owner):
            for statement in ("UPDATE promotion_approvals SET approver = 'kim'", "DELETE FROM promotion_approvals"):
                with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
