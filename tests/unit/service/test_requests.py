import httpx
import pytest
from fastapi import APIRouter, FastAPI

from mlplatform.service import ServiceRouter, create_service
from mlplatform.settings import PlatformSettings
from tests.unit.service.conftest import no_lifespan


class TestPaths:
    async def test_unknown(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/nothing")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert response.headers["Content-Type"] == "application/problem+json"

    async def test_method_that_the_path_lacks(self, client: httpx.AsyncClient) -> None:
        response = await client.put("/things/a")
        assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
        assert response.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS"

    async def test_options(self, client: httpx.AsyncClient) -> None:
        response = await client.options("/sums")
        assert (response.status_code, response.headers["Allow"]) == (204, "OPTIONS, POST")

    async def test_options_of_nothing(self, client: httpx.AsyncClient) -> None:
        assert (await client.options("/nothing")).status_code == 404

    async def test_head_is_get_without_the_body(self, client: httpx.AsyncClient) -> None:
        head, get = await client.head("/things/a"), await client.get("/things/a")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


class TestRequestId:
    async def test_of_the_caller(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/things/none", headers={"X-Request-ID": "call-7.a_b"})
        assert response.headers["X-Request-ID"] == response.json()["request_id"] == "call-7.a_b"

    @pytest.mark.parametrize("given", ["a b", "x" * 65, 'x"y', "", "é".encode()])
    async def test_harmful_one_is_replaced(self, client: httpx.AsyncClient, given: str | bytes) -> None:
        response = await client.get("/things/a", headers={"X-Request-ID": given})
        assert len(response.headers["X-Request-ID"]) == 32


class TestAnswers:
    async def test_headers_of_every_answer(self, client: httpx.AsyncClient) -> None:
        for path in ("/things/a", "/things/none", "/things/broken", "/nothing"):
            headers = (await client.get(path)).headers
            assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
            assert "X-Request-ID" in headers

    async def test_fault_tells_nothing(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/things/broken", headers={"X-Request-ID": "r1"})
        assert (response.status_code, response.json()["code"]) == (500, "internal_error")
        assert response.json()["request_id"] == "r1"
        assert "hunter2" not in response.text

    async def test_metrics_have_templates_and_no_names_of_callers(self, client: httpx.AsyncClient) -> None:
        await client.get("/things/patient-4711")
        await client.get("/nothing/patient-4711")
        text = (await client.get("/metrics")).text
        assert 'method="GET",route="/things/{name}",service="tested-service",status="200"' in text
        assert 'route="unmatched",service="tested-service",status="404"' in text
        assert "patient" not in text

    async def test_liveness_asks_nobody(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/health/live")).json() == {"status": "live"}


class TestCors:
    async def test_listed_origin(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/things/none", headers={"Origin": "https://ui.example.org"})
        assert response.headers["Access-Control-Allow-Origin"] == "https://ui.example.org"

    async def test_other_origin(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/things/a", headers={"Origin": "https://evil.example.org"})
        assert "Access-Control-Allow-Origin" not in response.headers

    async def test_preflight(self, client: httpx.AsyncClient) -> None:
        headers = {
            "Origin": "https://ui.example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        assert (await client.options("/sums", headers=headers)).status_code == 200


class TestDocuments:
    async def test_page_and_its_scripts_are_served_here(self, client: httpx.AsyncClient) -> None:
        page = (await client.get("/docs")).text
        assert "http://" not in page
        assert "https://" not in page
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
            assert f"/docs/assets/{name}" in page
            assert (await client.get(f"/docs/assets/{name}")).status_code == 200

    def test_problems_of_each_operation(self, app: FastAPI) -> None:
        document = app.openapi()
        statuses = set(document["paths"]["/sums"]["post"]["responses"])
        assert {"400", "413", "415", "422", "500", "503"} <= statuses
        assert "HTTPValidationError" not in document["components"]["schemas"]
        assert "413" not in document["paths"]["/things/{name}"]["get"]["responses"]

    def test_declared_answer_wins(self, app: FastAPI) -> None:
        answer = app.openapi()["paths"]["/health/ready"]["get"]["responses"]["503"]
        assert "application/json" in answer["content"]


class TestCreateService:
    def test_route_that_reads_json_by_other_rules_is_refused(self) -> None:
        router = APIRouter()
        router.add_api_route("/foreign", lambda: None)
        outer = ServiceRouter()
        outer.include_router(router)
        with pytest.raises(TypeError, match="the router of /foreign must be"):
            create_service(
                settings=PlatformSettings(), title="x", description="x", lifespan=no_lifespan, routers=[outer]
            )

    def test_the_routes_of_a_router_are_not_built_once_more(self) -> None:
        router = ServiceRouter()
        router.add_api_route("/own", lambda: None)
        app = create_service(
            settings=PlatformSettings(), title="x", description="x", lifespan=no_lifespan, routers=[router]
        )
        assert router.routes[0] in app.routes
