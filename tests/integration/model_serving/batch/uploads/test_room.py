"""Room for uploads under way, of tenants and machines beside each other, and of processes that died."""

from datetime import datetime, timedelta

import psycopg
import pytest

from mlplatform.database import Database
from mlplatform.errors import Conflict, Overloaded, PayloadTooLarge, PlatformError
from services.model_serving.batch.quota.quota import Quota, QuotaExceeded
from services.model_serving.batch.uploads.arrival import Arrival
from services.model_serving.batch.uploads.room import CLOSE, IN_MEMORY, PORTION, Demand, Room
from tests.integration.model_serving.batch.uploads.conftest import HOUR, Bucket, arrivals, rows
from tests.integration.model_serving.running import eventually

SMALL = Quota(files=100, size=100, items=100)
TABLE = 1 << 40
QUICK = timedelta(seconds=1)
UNIT = IN_MEMORY
DISK = 100 * UNIT


async def begun(database: Database, tenant: str, demand: Demand) -> Arrival:
    """Begin with an upload in a process that dies, so that nobody renews what it reserved."""
    arrival = Arrival(database, Room(SMALL, 1 << 30, HOUR, "here"), tenant, demand)
    await arrival.begin()
    return arrival


async def refusal(arrival: Arrival, size: int) -> PlatformError | None:
    """Return why an upload may have so many bytes no more."""
    try:
        await arrival.cover(size, size)
    except PlatformError as error:
        return error
    return None


class TestLease:
    async def test_what_a_process_reserved_that_died_counts_until_its_lease_ends(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        await begun(database, "a", Demand(TABLE, 60))
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        with pytest.raises(QuotaExceeded):
            async with let_in.arriving("a", Demand(TABLE, 60)):
                raise AssertionError
        owner.execute("UPDATE batch_uploads SET reserved_until = now() - interval '1 second'")
        async with let_in.arriving("a", Demand(TABLE, 60)):
            assert len(rows(owner)) == 2
        assert len(rows(owner)) == 1  # of the one that died, which the sweep finds

    async def test_it_is_renewed_while_the_upload_goes_on(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL, lease=timedelta(seconds=1))

        def until() -> datetime:
            (found,) = owner.execute("SELECT reserved_until FROM batch_uploads").fetchall()
            return found[0]

        async with let_in.arriving("a", Demand(TABLE, 60)):
            first = until()

            async def is_renewed() -> bool:
                return until() > first + timedelta(seconds=1)

            await eventually(is_renewed)
            with pytest.raises(QuotaExceeded):
                async with let_in.arriving("a", Demand(TABLE, 60)):
                    raise AssertionError

    async def test_an_upload_that_was_swept_away_goes_on_no_more(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        arrival = await begun(database, "a", Demand(TABLE, 10))
        owner.execute("DELETE FROM batch_uploads")
        with pytest.raises(Conflict, match="took too long"):
            await arrival.cover(50, 50)

    async def test_one_that_is_swept_away_on_its_way_is_refused_before_it_has_come_whole(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        let_in = arrivals(database, bucket.objects, lease=QUICK)
        async with let_in.arriving("a", Demand(TABLE, 60)) as arrival:
            await arrival.cover(10, 10)
            owner.execute("UPDATE batch_uploads SET removed = true, reserved_until = NULL")
            refused = await eventually(lambda: refusal(arrival, 20))
        assert isinstance(refused, Conflict)
        assert refused.headers == CLOSE

    async def test_what_lapsed_in_an_outage_is_reserved_anew(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL, lease=QUICK)
        async with let_in.arriving("a", Demand(TABLE, 60)) as arrival:
            owner.execute("UPDATE batch_uploads SET reserved = 0, reserved_until = now() - interval '1 second'")

            async def is_back() -> bool:
                found = owner.execute("SELECT reserved FROM batch_uploads WHERE reserved_until > now()").fetchall()
                return found == [(60,)]

            await eventually(is_back)
            await arrival.cover(60, 60)

    async def test_when_another_upload_has_the_room_by_then_it_is_refused(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL, lease=QUICK)
        async with let_in.arriving("a", Demand(TABLE, 60)) as arrival:
            owner.execute(
                """
                WITH lapsed AS (
                    UPDATE batch_uploads SET reserved_until = now() - interval '1 second' RETURNING tenant_id
                )
                INSERT INTO batch_uploads (tenant_id, id, objects, reserved, reserved_until)
                SELECT tenant_id, gen_random_uuid(), 1, 60, now() + interval '1 hour' FROM lapsed
                """
            )
            assert isinstance(await eventually(lambda: refusal(arrival, 20)), QuotaExceeded)


class TestPortions:
    async def test_an_upload_that_declares_nothing_reserves_ahead_of_what_came(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        def reserved() -> int:
            (found,) = owner.execute("SELECT reserved FROM batch_uploads").fetchall()
            return int(found[0])

        async with arrivals(database, bucket.objects).arriving("a", Demand(TABLE)) as arrival:
            assert reserved() == PORTION
            await arrival.cover(PORTION, 0)
            assert reserved() == PORTION
            await arrival.cover(PORTION + 1, 0)
            assert reserved() == 2 * PORTION + 1

    async def test_the_last_of_the_quota_can_be_had(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        async with let_in.arriving("a", Demand(TABLE)) as arrival:
            await arrival.cover(100, 100)
            with pytest.raises(QuotaExceeded):
                await arrival.cover(101, 101)

    async def test_what_is_beside_the_files_of_a_form_does_not_count(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        async with let_in.arriving("a", Demand(TABLE, 150, beside=50)) as arrival:
            await arrival.cover(100, 100)

    async def test_another_tenant_has_a_quota_of_its_own(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        async with let_in.arriving("a", Demand(TABLE, 100)), let_in.arriving("b", Demand(TABLE, 100)):
            pass


class TestRepeats:
    async def test_take_nothing_of_the_quota_from_others(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        repeat = Demand(TABLE, 90, is_repeat=True)
        async with let_in.arriving("a", repeat) as arrival, let_in.arriving("a", Demand(TABLE, 90)):
            await arrival.cover(90, 90)


class TestDisk:
    async def test_all_tenants_share_it(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, spool=DISK)
        large, small = Demand(TABLE, 60 * UNIT), Demand(TABLE, 40 * UNIT)
        async with let_in.arriving("a", large) as arrival:
            await arrival.cover(60 * UNIT, 60 * UNIT)
            with pytest.raises(Overloaded):
                async with let_in.arriving("b", large):
                    raise AssertionError
            async with let_in.arriving("b", small) as other:
                await other.cover(40 * UNIT, 40 * UNIT)
        async with let_in.arriving("b", large):
            pass

    async def test_several_uploads_of_one_tenant_leave_a_part_to_others(
        self, database: Database, bucket: Bucket
    ) -> None:
        let_in = arrivals(database, bucket.objects, spool=DISK)
        async with let_in.arriving("a", Demand(TABLE, 50 * UNIT)) as arrival:
            await arrival.cover(50 * UNIT, 50 * UNIT)
            with pytest.raises(Overloaded):
                async with let_in.arriving("a", Demand(TABLE, 40 * UNIT)):
                    raise AssertionError
            async with let_in.arriving("b", Demand(TABLE, 40 * UNIT)):
                pass

    async def test_each_machine_has_its_own(self, database: Database, bucket: Bucket) -> None:
        here = arrivals(database, bucket.objects, spool=DISK)
        there = arrivals(database, bucket.objects, spool=DISK, host="there")
        whole = Demand(TABLE, DISK)
        async with here.arriving("a", whole) as arrival, there.arriving("b", whole) as other:
            await arrival.cover(DISK, DISK)
            await other.cover(DISK, DISK)

    async def test_who_sends_slowly_keeps_no_more_of_it_than_a_portion(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        let_in = arrivals(database, bucket.objects, spool=DISK)
        whole = Demand(TABLE, DISK)
        async with let_in.arriving("a", whole) as slow, let_in.arriving("b", Demand(TABLE, 80 * UNIT)) as quick:
            assert owner.execute("SELECT reserved, spooled FROM batch_uploads ORDER BY tenant_id").fetchall() == [
                (DISK, PORTION),
                (80 * UNIT, PORTION),
            ]
            await quick.cover(80 * UNIT, 80 * UNIT)
            with pytest.raises(Overloaded):
                await slow.cover(30 * UNIT, 30 * UNIT)

    async def test_what_stays_in_memory_needs_none(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, spool=DISK)
        async with let_in.arriving("a", Demand(TABLE, DISK)) as arrival:
            await arrival.cover(DISK, DISK)
            async with let_in.arriving("b", Demand(TABLE, UNIT)), let_in.arriving("b", Demand(TABLE)) as other:
                await other.cover(UNIT, UNIT)
                with pytest.raises(Overloaded):
                    await other.cover(UNIT + 1, UNIT + 1)

    async def test_a_form_has_no_more_of_it_than_one_file(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        def spooled() -> int:
            (found,) = owner.execute("SELECT spooled FROM batch_uploads").fetchall()
            return int(found[0])

        form = Demand(20 * UNIT, 90 * UNIT, files=100)
        async with arrivals(database, bucket.objects, spool=DISK).arriving("a", form) as arrival:
            await arrival.cover(50 * UNIT, UNIT)
            assert spooled() == 0
            await arrival.cover(53 * UNIT, 3 * UNIT)
            assert spooled() == 3 * UNIT + PORTION
            await arrival.cover(70 * UNIT, 20 * UNIT)
            assert spooled() == 20 * UNIT

    async def test_a_form_of_which_a_file_is_sure_to_be_larger_than_it_is_refused_at_once(
        self, database: Database, bucket: Bucket
    ) -> None:
        let_in = arrivals(database, bucket.objects, spool=4 * UNIT)
        with pytest.raises(PayloadTooLarge):
            async with let_in.arriving("a", Demand(20 * UNIT, 90 * UNIT, files=10)):
                raise AssertionError
