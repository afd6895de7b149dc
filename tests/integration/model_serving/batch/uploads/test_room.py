"""Room for uploads under way, of tenants and machines beside each other, and of processes that died."""

from datetime import datetime, timedelta

import psycopg
import pytest

from mlplatform.database import Database
from mlplatform.errors import Conflict, Overloaded
from services.model_serving.batch.quota.quota import Quota, QuotaExceeded
from services.model_serving.batch.uploads.arrival import Arrival
from services.model_serving.batch.uploads.room import PORTION, Demand, Room
from tests.integration.model_serving.batch.uploads.conftest import HOUR, MANY, Bucket, arrivals, rows
from tests.integration.model_serving.running import eventually

SMALL = Quota(files=100, size=100, items=100)
TABLE = 1 << 40


async def begun(database: Database, tenant: str, demand: Demand) -> Arrival:
    """Begin with an upload in a process that dies, so that nobody renews what it reserved."""
    arrival = Arrival(database, Room(SMALL, 1 << 30, HOUR, "here"), tenant, demand)
    await arrival.begin(1)
    return arrival


class TestLease:
    async def test_what_a_process_reserved_that_died_counts_until_its_lease_ends(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        await begun(database, "a", Demand(TABLE, 60))
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        with pytest.raises(QuotaExceeded):
            async with let_in.arriving("a", 1, Demand(TABLE, 60)):
                raise AssertionError
        owner.execute("UPDATE batch_uploads SET reserved_until = now() - interval '1 second'")
        async with let_in.arriving("a", 1, Demand(TABLE, 60)):
            assert len(rows(owner)) == 2
        assert len(rows(owner)) == 1  # of the one that died, which the sweep finds

    async def test_it_is_renewed_while_the_upload_goes_on(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL, lease=timedelta(seconds=1))

        def until() -> datetime:
            (found,) = owner.execute("SELECT reserved_until FROM batch_uploads").fetchall()
            return found[0]

        async with let_in.arriving("a", 1, Demand(TABLE, 60)):
            first = until()

            async def is_renewed() -> bool:
                return until() > first + timedelta(seconds=1)

            await eventually(is_renewed)
            with pytest.raises(QuotaExceeded):
                async with let_in.arriving("a", 1, Demand(TABLE, 60)):
                    raise AssertionError

    async def test_an_upload_that_was_swept_away_goes_on_no_more(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        arrival = await begun(database, "a", Demand(TABLE, 10))
        owner.execute("DELETE FROM batch_uploads")
        with pytest.raises(Conflict, match="took too long"):
            await arrival.cover(50)


class TestPortions:
    async def test_an_upload_that_declares_nothing_reserves_ahead_of_what_came(
        self, database: Database, bucket: Bucket, owner: psycopg.Connection
    ) -> None:
        def reserved() -> int:
            (found,) = owner.execute("SELECT reserved FROM batch_uploads").fetchall()
            return int(found[0])

        async with arrivals(database, bucket.objects).arriving("a", 1, Demand(TABLE)) as arrival:
            assert reserved() == PORTION
            await arrival.cover(PORTION)
            assert reserved() == PORTION
            await arrival.cover(PORTION + 1)
            assert reserved() == 2 * PORTION + 1

    async def test_the_last_of_the_quota_can_be_had(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        async with let_in.arriving("a", 1, Demand(TABLE)) as arrival:
            await arrival.cover(100)
            with pytest.raises(QuotaExceeded):
                await arrival.cover(101)

    async def test_what_is_beside_the_files_of_a_form_does_not_count(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        async with let_in.arriving("a", 1, Demand(TABLE, 150, beside=50)) as arrival:
            await arrival.cover(100)

    async def test_another_tenant_has_a_quota_of_its_own(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=SMALL)
        async with let_in.arriving("a", 1, Demand(TABLE, 100)), let_in.arriving("b", 1, Demand(TABLE, 100)):
            pass


class TestDisk:
    async def test_all_tenants_share_it(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, quota=MANY, spool=100)
        async with let_in.arriving("a", 1, Demand(TABLE, 60)):
            with pytest.raises(Overloaded):
                async with let_in.arriving("b", 1, Demand(TABLE, 60)):
                    raise AssertionError
            async with let_in.arriving("b", 1, Demand(TABLE, 40)):
                pass
        async with let_in.arriving("b", 1, Demand(TABLE, 60)):
            pass

    async def test_several_uploads_of_one_tenant_leave_a_part_to_others(
        self, database: Database, bucket: Bucket
    ) -> None:
        let_in = arrivals(database, bucket.objects, spool=100)
        async with let_in.arriving("a", 1, Demand(TABLE, 50)):
            with pytest.raises(Overloaded):
                async with let_in.arriving("a", 1, Demand(TABLE, 40)):
                    raise AssertionError
            async with let_in.arriving("b", 1, Demand(TABLE, 40)):
                pass

    async def test_each_machine_has_its_own(self, database: Database, bucket: Bucket) -> None:
        here = arrivals(database, bucket.objects, spool=100)
        there = arrivals(database, bucket.objects, spool=100, host="there")
        async with here.arriving("a", 1, Demand(TABLE, 100)), there.arriving("b", 1, Demand(TABLE, 100)):
            pass

    async def test_a_form_has_no_more_of_it_than_one_file(self, database: Database, bucket: Bucket) -> None:
        let_in = arrivals(database, bucket.objects, spool=100)
        async with let_in.arriving("a", 5, Demand(50, 500)), let_in.arriving("b", 5, Demand(50, 500)):
            pass
