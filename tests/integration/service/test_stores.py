from mlplatform.settings import PlatformSettings
from tests.integration.service.conftest import serving


class TestStores:
    async def test_answer(self, settings: PlatformSettings) -> None:
        async with serving(settings) as client:
            assert (await client.get("/postgres", params={"text": "abc"})).json() == 3
            assert (await client.get("/redis")).json() is True

    async def test_value_that_postgres_refuses(self, settings: PlatformSettings) -> None:
        async with serving(settings) as client:
            response = await client.get("/postgres", params={"text": "a\x00b"})
            assert (response.status_code, response.json()["code"]) == (422, "unprocessable")

    async def test_dead_one_is_named(self, dead: PlatformSettings) -> None:
        async with serving(dead) as client:
            for store in ("postgres", "redis"):
                response = await client.get(f"/{store}")
                assert (response.status_code, response.json()["code"]) == (503, "dependency_unavailable")
                assert store in response.json()["detail"]
                assert response.headers["Retry-After"] == "1"
                assert "hunter2" not in response.text
