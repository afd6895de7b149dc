import psycopg

from mlplatform.settings import PlatformSettings
from tests.fixtures.database import DatabaseUrls
from tests.integration.service.conftest import serving


class TestReady:
    async def test_every_store_answers(self, settings: PlatformSettings) -> None:
        async with serving(settings) as client:
            response = await client.get("/health/ready")
            assert response.status_code == 200, response.text
            assert set(response.json()["checks"]) == {"postgres", "redis", "outbox relay", "s3"}
            assert (await client.get("/health")).json()["status"] == "ok"


class TestNotReady:
    async def test_all_stores_dead_from_the_start(self, dead: PlatformSettings) -> None:
        async with serving(dead) as client:
            assert (await client.get("/health/live")).status_code == 200
            response = await client.get("/health/ready")
            assert response.status_code == 503
            failed = {name for name, check in response.json()["checks"].items() if check["status"] == "failed"}
            assert failed == {"postgres", "redis", "s3"}
            assert "127.0.0.1" not in response.text
            summary = await client.get("/health")
            assert (summary.status_code, summary.json()["status"]) == (200, "degraded")

    async def test_one_store_is_dead(self, settings: PlatformSettings, dead: PlatformSettings) -> None:
        async with serving(settings.model_copy(update={"redis_url": dead.redis_url})) as client:
            checks = (await client.get("/health/ready")).json()["checks"]
            assert (checks["redis"]["status"], checks["postgres"]["status"]) == ("failed", "ok")

    async def test_bucket_is_missing(self, settings: PlatformSettings, unique: str) -> None:
        bucket = f"none-{unique}".lower().replace("_", "-")
        async with serving(settings.model_copy(update={"s3_bucket": bucket})) as client:
            checks = (await client.get("/health/ready")).json()["checks"]
            assert checks["s3"]["reason"] == f"s3 has no bucket {bucket}; create it or set ML_S3_BUCKET."

    async def test_schema_is_behind(self, settings: PlatformSettings, database_urls: DatabaseUrls) -> None:
        with psycopg.connect(database_urls.owner, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0000'")
        async with serving(settings) as client:
            reason = (await client.get("/health/ready")).json()["checks"]["postgres"]["reason"]
            assert "run `mlp db upgrade`" in reason
