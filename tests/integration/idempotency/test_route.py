"""A route that does its work once, as the services declare it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI, Header, Response

from mlplatform.database import Database
from mlplatform.errors import install_problem_handlers
from mlplatform.idempotency import IdempotentRequest, replayed
from mlplatform.service import JsonResponse
from tests.fixtures.database import DatabaseUrls

KEY = {"Idempotency-Key": "order-1"}
ITEM = {"text": "one"}


class Orders:
    """A service that counts the work it does, and can be held or made to fail in the middle of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.done = 0
        self.begun = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()
        self.fails = False

    async def work(self) -> dict[str, int]:
        self.begun.set()
        await self.released.wait()
        if self.fails:
            raise LookupError("the work failed")
        self.done += 1
        return {"number": self.done}


def make_app(orders: Orders) -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app)

    async def order(
        body: dict[str, Any], repeatable: IdempotentRequest, tenant: Annotated[str, Header()] = "acme"
    ) -> Response:
        async with orders.database.transaction(tenant) as connection:
            if (stored := await repeatable.replay(connection)) is not None:
                return replayed(stored)
            answer = await orders.work()
            await repeatable.save(connection, 202, answer)
        return JsonResponse(answer, status_code=202)

    app.add_api_route("/orders", order, methods=["POST"])
    app.add_api_route("/orders/{kind}", order, methods=["POST"])
    return app


@pytest.fixture
async def orders(database_urls: DatabaseUrls) -> AsyncIterator[Orders]:
    database = Database(database_urls.app, max_size=4)
    await database.open()
    yield Orders(database)
    await database.close()


@pytest.fixture
async def client(orders: Orders) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(make_app(orders), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
def owner(stack_env: dict[str, str], database_urls: DatabaseUrls) -> Iterator[psycopg.Connection]:
    """Yield a superuser's connection: idempotency keys are hidden even from the owner of the tables."""
    name = psycopg.conninfo.conninfo_to_dict(database_urls.app)["dbname"]
    with psycopg.connect(stack_env["ML_DATABASE_ADMIN_URL"], dbname=name, autocommit=True) as connection:
        yield connection


class TestReplay:
    async def test_the_same_request_gets_the_first_answer_and_no_second_work(
        self, client: httpx.AsyncClient, orders: Orders
    ) -> None:
        first = await client.post("/orders", json=ITEM, headers=KEY)
        second = await client.post("/orders", json=ITEM, headers=KEY)
        assert (first.status_code, second.status_code) == (202, 202)
        assert first.json() == second.json() == {"number": 1}
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert orders.done == 1

    async def test_another_request_under_the_key_is_refused(self, client: httpx.AsyncClient, orders: Orders) -> None:
        await client.post("/orders", json=ITEM, headers=KEY)
        other = await client.post("/orders", json={"text": "two"}, headers=KEY)
        assert other.status_code == 422
        assert other.json()["errors"][0]["field"] == "header.Idempotency-Key"
        assert orders.done == 1

    async def test_another_query_under_the_key_is_refused(self, client: httpx.AsyncClient) -> None:
        await client.post("/orders", json=ITEM, headers=KEY)
        assert (await client.post("/orders?dry=1", json=ITEM, headers=KEY)).status_code == 422

    async def test_a_request_in_progress_is_not_begun_again(self, client: httpx.AsyncClient, orders: Orders) -> None:
        orders.released.clear()
        first = asyncio.create_task(client.post("/orders", json=ITEM, headers=KEY))
        try:
            async with asyncio.timeout(30):
                await orders.begun.wait()
            second = await client.post("/orders", json=ITEM, headers=KEY)
        finally:
            orders.released.set()
        assert second.status_code == 409
        assert second.headers["Retry-After"] == "1"
        assert (await first).status_code == 202
        assert (await client.post("/orders", json=ITEM, headers=KEY)).json() == {"number": 1}

    async def test_work_that_failed_is_done_when_asked_again(self, client: httpx.AsyncClient, orders: Orders) -> None:
        orders.fails = True
        assert (await client.post("/orders", json=ITEM, headers=KEY)).status_code == 500
        orders.fails = False
        assert (await client.post("/orders", json=ITEM, headers=KEY)).status_code == 202
        assert orders.done == 1


class TestScope:
    async def test_a_request_without_a_key_is_done_each_time(self, client: httpx.AsyncClient, orders: Orders) -> None:
        for _ in range(2):
            await client.post("/orders", json=ITEM)
        assert orders.done == 2

    async def test_tenants_do_not_share_keys(self, client: httpx.AsyncClient, orders: Orders) -> None:
        await client.post("/orders", json=ITEM, headers=KEY | {"tenant": "acme"})
        other = await client.post("/orders", json={"text": "two"}, headers=KEY | {"tenant": "other"})
        assert other.status_code == 202
        assert orders.done == 2

    async def test_routes_do_not_share_keys(self, client: httpx.AsyncClient, orders: Orders) -> None:
        await client.post("/orders", json=ITEM, headers=KEY)
        assert (await client.post("/orders/large", json=ITEM, headers=KEY)).status_code == 202
        assert orders.done == 2

    async def test_two_paths_of_a_route_are_two_requests(self, client: httpx.AsyncClient) -> None:
        await client.post("/orders/large", json=ITEM, headers=KEY)
        assert (await client.post("/orders/small", json=ITEM, headers=KEY)).status_code == 422

    @pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
    async def test_a_key_of_the_wrong_form_is_refused(
        self, client: httpx.AsyncClient, orders: Orders, key: str
    ) -> None:
        answer = await client.post("/orders", json=ITEM, headers={"Idempotency-Key": key})
        assert answer.status_code == 422
        assert orders.done == 0


class TestRetention:
    async def test_an_answer_counts_for_a_day(
        self, client: httpx.AsyncClient, orders: Orders, owner: psycopg.Connection
    ) -> None:
        await client.post("/orders", json=ITEM, headers=KEY)
        owner.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        assert (await client.post("/orders", json={"text": "two"}, headers=KEY)).json() == {"number": 2}
        replay = await client.post("/orders", json={"text": "two"}, headers=KEY)
        assert replay.headers["Idempotency-Replayed"] == "true"
        assert orders.done == 2

    async def test_old_answers_do_not_pile_up(self, client: httpx.AsyncClient, owner: psycopg.Connection) -> None:
        for number in range(3):
            await client.post("/orders", json=ITEM, headers={"Idempotency-Key": f"old-{number}"})
        owner.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        await client.post("/orders", json=ITEM, headers=KEY)
        assert owner.execute("SELECT key FROM idempotency_keys").fetchall() == [("order-1",)]
