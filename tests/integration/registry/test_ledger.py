"""Reading the ledger for a service."""

import psycopg
import pytest

from mlplatform.errors import InvalidCursor
from mlplatform.registry import repository
from mlplatform.registry.ledger import PromotionLedger, State

ROW = {
    "stage": "Production",
    "action": "promote",
    "from_version": None,
    "artifact_digest": None,
    "gate_report_uri": None,
    "actor": "ada",
    "reason": None,
    "trace_id": None,
}


@pytest.fixture
async def write(database):
    """Write a promotion that ended."""

    async def insert(model: str, version: str, state: State = State.COMMITTED) -> int:
        async with database.transaction() as connection:
            number = await repository.reserve_id(connection)
            await repository.insert_intent(connection, promotion_id=number, model=model, to_version=version, **ROW)
            await repository.close(connection, number, state, "it broke" if state is State.FAILED else None)
        return number

    return insert


class TestPromotionLedger:
    async def test_pages_newest_first(self, database, write):
        for version in ("1", "2", "3"):
            await write("m", version)
        await write("other", "9")
        ledger = PromotionLedger(database)
        page, cursor = await ledger.list("m", limit=2)
        assert [promotion.to_version for promotion in page] == ["3", "2"]
        page, cursor = await ledger.list("m", limit=2, cursor=cursor)
        assert ([promotion.to_version for promotion in page], cursor) == (["1"], None)

    async def test_looks_one_up(self, database, write):
        number = await write("m", "1", State.FAILED)
        promotion = await PromotionLedger(database).get("m", number)
        assert promotion is not None
        assert (promotion.state, promotion.failure, promotion.committed_at) == (State.FAILED, "it broke", None)
        assert await PromotionLedger(database).get("other", number) is None

    @pytest.mark.parametrize("cursor", ["", "x", "-1", "٣", "9" * 19])
    async def test_refuses_a_cursor_that_is_not_its_own(self, database, cursor):
        with pytest.raises(InvalidCursor):
            await PromotionLedger(database).list("m", cursor=cursor)

    async def test_what_is_closed_stays_so(self, database, write):
        number = await write("m", "1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is closed"):
            async with database.transaction() as connection:
                await repository.close(connection, number, State.FAILED, "no")

    async def test_one_intent_a_model(self, database):
        async def begin(number: int) -> None:
            async with database.transaction() as connection:
                await repository.insert_intent(connection, promotion_id=number, model="m", to_version="1", **ROW)

        await begin(1)
        with pytest.raises(psycopg.errors.UniqueViolation):
            await begin(2)
