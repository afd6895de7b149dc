"""Routes that are served without FastAPI's machinery."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from mlplatform.auth import Permission
from mlplatform.errors import NotFound, Overloaded, PlatformError
from mlplatform.service import DirectRequest, DirectResponse, DirectRoute, get_kernel
from mlplatform.settings import PlatformSettings
from tests.integration.service.conftest import serving

LIMIT = 1000


async def echo(request: DirectRequest) -> DirectResponse:
    content = {
        "params": dict(request.params),
        "size": len(request.body),
        "tenant": request.principal.tenant,
        "kernel": get_kernel(request).settings is not None,
    }
    return DirectResponse(orjson.dumps(content), headers=(("x-echo", "yes"),))


async def fail(request: DirectRequest) -> DirectResponse:
    match request.params["how"]:
        case "known":
            raise NotFound("There is no such thing.")
        case "redis":
            raise RedisConnectionError("holds hunter2")
        case _:
            raise RuntimeError("holds hunter2")


async def refuse(request: DirectRequest) -> DirectResponse:
    raise Overloaded("Try later.", lasts=0.0 if request.params.get("name") == "this one" else 60.0)


def terse(error: PlatformError, request_id: str) -> DirectResponse:
    return DirectResponse(orjson.dumps({"error": error.detail, "id": request_id}), error.status)


ROUTES = [
    DirectRoute("POST", "/echo", Permission.PREDICT, echo, openapi={"summary": "Echo", "description": "Says it."}),
    DirectRoute("POST", "/echo/{name}/of/{kind}", Permission.PREDICT, echo),
    DirectRoute("POST", "/fail/{how}", Permission.PREDICT, fail),
    DirectRoute("POST", "/terse/{how}", Permission.PREDICT, fail, terse),
    DirectRoute("POST", "/refuse", Permission.PREDICT, refuse),
    DirectRoute("POST", "/refuse/{name}", Permission.PREDICT, refuse, terse),
    DirectRoute("GET", "/keys", Permission.KEYS, echo, terse),
]


@pytest.fixture
def settings(settings: PlatformSettings) -> PlatformSettings:
    return settings.model_copy(update={"max_body_size": LIMIT, "cors_origins": ("https://ui.example.org",)})


class TestAnswers:
    async def test_the_handler_gets_what_was_sent(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.post("/echo/a%20b/of/c", content=b"x" * LIMIT)
        assert answer.json()["params"] == {"name": "a b", "kind": "c"}
        assert answer.json()["size"] == LIMIT
        assert answer.json()["kernel"] is True

    async def test_headers_are_those_of_every_answer(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.post("/echo", headers={"X-Request-ID": "call-7"})
        assert answer.headers["X-Request-ID"] == "call-7"
        assert answer.headers["X-Echo"] == "yes"
        assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")

    async def test_a_body_in_parts_is_put_together(self, settings: PlatformSettings) -> None:
        async def parts():
            for _ in range(10):
                yield b"x" * 10

        async with serving(settings, ROUTES) as client:
            assert (await client.post("/echo", content=parts())).json()["size"] == 100

    async def test_a_browser_of_another_origin_is_told_what_it_may_read(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.post("/echo", headers={"Origin": "https://ui.example.org"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://ui.example.org"
        assert answer.json()["size"] == 0

    async def test_other_methods_of_the_path_are_refused(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.get("/echo")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")

    async def test_they_are_counted_under_their_template(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            await client.post("/echo/patient-4711/of/c")
            metrics = (await client.get("/metrics")).text
        assert 'route="/echo/{name}/of/{kind}",service="tested",status="200"' in metrics
        assert "patient" not in metrics

    async def test_the_document_has_them(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            operation = (await client.get("/openapi.json")).json()["paths"]["/echo"]["post"]
        assert (operation["summary"], operation["description"]) == ("Echo", "Says it.")
        assert operation["security"]


class TestErrors:
    @pytest.mark.parametrize(("how", "status"), [("known", 404), ("redis", 503), ("unknown", 500)])
    async def test_every_kind_is_a_problem_that_tells_nothing(
        self, settings: PlatformSettings, how: str, status: int
    ) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.post(f"/fail/{how}", headers={"X-Request-ID": "r1"})
        assert (answer.status_code, answer.json()["status"], answer.json()["request_id"]) == (status, status, "r1")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "hunter2" not in answer.text

    async def test_a_protocol_writes_its_own(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.post("/terse/redis", headers={"X-Request-ID": "r1"})
        assert answer.json().keys() == {"error", "id"}
        assert answer.headers["Retry-After"]

    @pytest.mark.parametrize("declared", [True, False])
    async def test_a_body_that_is_too_large_is_refused(self, settings: PlatformSettings, declared: bool) -> None:
        async def parts():
            for _ in range(3):
                yield b"x" * LIMIT

        async with serving(settings, ROUTES) as client:
            answer = await client.post("/terse/known", content=b"x" * (LIMIT + 1) if declared else parts())
        assert answer.status_code == 413
        assert str(LIMIT) in answer.json()["error"]


class TestRefusals:
    async def test_one_that_is_for_all_holds_for_the_same_method_and_target(self, settings: PlatformSettings) -> None:
        async with serving(settings, ROUTES) as client:
            answer = await client.post("/refuse/a%20b?x=1", headers={"X-Request-ID": "r1"})
            hold = client._transport.app.holds.find((b"POST", b"/refuse/a%20b?x=1"), [])
            hold.count()
            held = hold.answer("r2")
            metrics = (await client.get("/metrics")).text
        assert (answer.status_code, held.status) == (503, 503)
        assert answer.json() == {"error": "Try later.", "id": "r1"}
        assert orjson.loads(held.body) == {"error": "Try later.", "id": "r2"}
        told = {name.decode(): value.decode() for name, value in held.headers}
        assert told == {**dict(answer.headers), "x-request-id": "r2"}
        assert 'route="/refuse/{name}",service="tested",status="503"} 2.0' in metrics

    @pytest.mark.parametrize("path", ["/refuse", "/refuse/this%20one"])
    async def test_others_hold_for_nobody_else(self, settings: PlatformSettings, path: str) -> None:
        async with serving(settings, ROUTES) as client:
            assert (await client.post(path)).status_code == 503
            assert not client._transport.app.holds


class Gate:
    """A route that holds its body until it is told to let go."""

    def __init__(self) -> None:
        self.entered, self.opened = asyncio.Event(), asyncio.Event()
        self.routes = [*ROUTES, DirectRoute("POST", "/hold", Permission.PREDICT, self._hold)]

    async def _hold(self, request: DirectRequest) -> DirectResponse:
        self.entered.set()
        await self.opened.wait()
        return DirectResponse(b"%d" % len(request.body))


class TestBodiesInFlight:
    """Each within its limit, and together within theirs."""

    @pytest.mark.parametrize("declared", [True, False])
    async def test_one_too_many_is_refused_until_another_is_answered(
        self, settings: PlatformSettings, declared: bool
    ) -> None:
        async def parts():
            for _ in range(6):
                yield b"x" * 100

        def body() -> Any:
            return b"x" * 600 if declared else parts()

        gate = Gate()
        async with serving(settings.model_copy(update={"max_body_bytes_in_flight": LIMIT}), gate.routes) as client:
            holding = asyncio.create_task(client.post("/hold", content=body()))
            await gate.entered.wait()
            refused = await client.post("/echo", content=body())
            small = await client.post("/echo", content=b"x" * 100)
            during = (await client.get("/metrics")).text
            gate.opened.set()
            assert (await holding).text == "600"
            assert (await client.post("/echo", content=body())).json()["size"] == 600
            after = (await client.get("/metrics")).text
        assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
        assert (refused.headers["Connection"], refused.headers["Retry-After"]) == ("close", "1")
        assert small.json()["size"] == 100
        assert 'ml_body_bytes_in_flight{routes="direct"} 600.0' in during
        assert 'ml_body_bytes_in_flight{routes="direct"} 0.0' in after

    async def test_one_alone_is_let_in(self, settings: PlatformSettings) -> None:
        async with serving(settings.model_copy(update={"max_body_bytes_in_flight": 10}), ROUTES) as client:
            assert (await client.post("/echo", content=b"x" * LIMIT)).json()["size"] == LIMIT

    async def test_one_that_stalls_is_given_up(self, settings: PlatformSettings) -> None:
        async def stalled():
            yield b"x"
            await asyncio.Event().wait()

        async with serving(settings.model_copy(update={"body_timeout": timedelta(milliseconds=50)}), ROUTES) as client:
            response = await client.post("/echo", content=stalled())
        assert (response.status_code, response.json()["code"]) == (408, "request_timeout")
        assert response.headers["Connection"] == "close"


class TestAccess:
    async def test_without_a_credential_nobody_is_served(self, settings: PlatformSettings) -> None:
        async with serving(settings.model_copy(update={"auth_enabled": True}), ROUTES) as client:
            direct, browser = (
                await client.post("/terse/known"),
                await client.post("/terse/known", headers={"Origin": "https://ui.example.org"}),
            )
        assert direct.status_code == browser.status_code == 401
        assert direct.json().keys() == {"error", "id"}
        assert direct.headers["WWW-Authenticate"]
