"""What the fixtures promise to every other test."""

import psycopg
import redis

from tests.fixtures.database import DatabaseUrls


class TestDatabaseUrls:
    def test_database_is_migrated_and_roles_differ(self, database_urls: DatabaseUrls) -> None:
        with psycopg.connect(database_urls.owner) as owner, psycopg.connect(database_urls.app) as app:
            assert owner.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
            bypass = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            assert app.execute(bypass).fetchone() == (False,)


class TestRedisUrl:
    def test_database_starts_empty(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            assert client.dbsize() == 0
            client.set("left", "behind")

    def test_database_starts_empty_again(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            assert client.dbsize() == 0
            client.set("left", "behind")


class TestSettingsEnv:
    def test_stores_are_this_tests_own(
        self, settings_env: dict[str, str], stack_env: dict[str, str], database_urls: DatabaseUrls, redis_url: str
    ) -> None:
        assert settings_env["ML_DATABASE_URL"] == database_urls.app != stack_env["ML_DATABASE_URL"]
        assert settings_env["ML_REDIS_URL"] == redis_url != stack_env["ML_REDIS_URL"]
        assert settings_env["ML_MLFLOW_URL"] == stack_env["ML_MLFLOW_URL"]
