"""The prediction log, on a real Postgres."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from mlplatform.registry import tags
from services.model_serving.monitoring import repository
from services.model_serving.monitoring.entry import Entry
from services.model_serving.monitoring.metrics import LOG_DROPPED
from tests.fixtures.database import DatabaseUrls
from tests.integration.model_serving.monitoring.watched import Watched, watched
from tests.integration.model_serving.publisher import Publisher, frame_of

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'prediction_log'::regclass"


def of_request(request_id: str) -> Entry:
    now = datetime.now(UTC)
    return Entry("default", request_id, now, "m", "1", "primary", 1, None, False, None, None, None, 1.0, 0.0)


def dropped(reason: str) -> float:
    return LOG_DROPPED.labels(reason)._value.get()


class TestLogging:
    async def test_keeps_inputs_predictions_and_latency_of_a_request(self, service: Watched) -> None:
        frame = frame_of(3, seed=1)
        request_id = await service.ask(frame)
        await service.written()
        row = next(row for row in await service.logged() if row["request_id"] == request_id)
        assert row["model"] == service.model
        assert (row["version"], row["route"], row["rows"]) == (service.version.version, "primary", 3)
        assert row["inputs"] == {name: frame[name].tolist() for name in frame.columns}
        assert row["predictions"]["prediction"] == pytest.approx(frame.sum(axis=1).tolist())
        assert row["latency_ms"] > 0
        assert row["error"] is None

    async def test_keeps_refused_requests_without_what_was_sent(self, service: Watched) -> None:
        answer = await service.running.predict(service.model, [{"a": "secret"}])
        await service.written()
        row = (await service.logged())[-1]
        assert (answer.status_code, row["error"], row["inputs"]) == (422, "invalid_inputs", None)

    async def test_of_a_large_request_some_rows_are_kept_with_their_places(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, ML_PREDICTION_LOG_MAX_ROWS="5") as service:
            frame = frame_of(101)
            await service.ask(frame)
            await service.written()
            row = (await service.logged())[-1]
        assert (row["rows"], row["positions"]) == (101, [0, 25, 50, 75, 100])
        assert row["inputs"]["a"] == frame["a"].iloc[[0, 25, 50, 75, 100]].tolist()
        assert len(row["predictions"]["prediction"]) == 5

    async def test_what_waits_is_written_when_the_service_stops(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path) as service:
            request_id = await service.ask(frame_of(1))
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"]) as connection:
            found = connection.execute("SELECT count(*) FROM prediction_log WHERE request_id = %s", (request_id,))
            assert found.fetchone() == (1,)

    async def test_a_row_that_postgres_refuses_goes_without_its_neighbours(self, service: Watched) -> None:
        good = [await service.ask(frame_of(1)) for _ in range(3)]
        monitoring = service.running.serving.monitoring
        entries = [replace(of_request(request_id), request_id=f"{request_id}-good") for request_id in good]
        bad = replace(of_request("bad"), inputs='{"a": ["\\u0000"]}')
        before = dropped("unreadable")
        await monitoring.writer.write([*entries, bad])
        kept = {row["request_id"] for row in await service.logged()}
        assert {f"{request_id}-good" for request_id in good} <= kept
        assert "bad" not in kept
        assert dropped("unreadable") - before == 1


class TestSampling:
    async def test_takes_a_share_of_requests_by_their_ids(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, ML_PREDICTION_LOG_SAMPLE="0.25") as service:
            before = len(await service.logged())
            for number in range(200):
                await service.ask(frame_of(1), **{"X-Request-ID": f"request-{number}"})
            await service.written()
            kept = len(await service.logged()) - before
        assert 25 <= kept <= 80

    async def test_the_tag_of_a_model_goes_before_the_setting(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, model_tags=[(tags.LOG_SAMPLE, "0")]) as service:
            await service.ask(frame_of(1))
            await service.written()
            assert await service.logged() == []

    async def test_more_than_the_rate_is_dropped_and_counted(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        changes = {"ML_PREDICTION_LOG_ROWS_PER_SECOND": "0.001", "ML_PREDICTION_LOG_MAX_ROWS": "5"}
        async with watched(settings_env, publisher, tmp_path, **changes) as service:
            before = dropped("rate_limit")
            for _ in range(10):
                await service.ask(frame_of(5))
            assert dropped("rate_limit") - before >= 9

    async def test_a_full_queue_drops_and_counts(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, ML_PREDICTION_LOG_QUEUE_SIZE="1") as service:
            before = dropped("queue_full")
            # without an await in between the writer cannot take anything off the queue
            served = [service.running.predict(service.model, frame_of(1).to_dict("records")) for _ in range(20)]
            for answer in served:
                assert (await answer).status_code == 200
            assert dropped("queue_full") > before


class TestPersonalData:
    async def test_excluded_columns_are_never_written(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, model_tags=[(tags.LOG_EXCLUDE, "b, c")]) as service:
            await service.ask(frame_of(2))
            await service.written()
            rows = await service.logged()
        assert rows
        assert all(set(row["inputs"]) == {"a"} for row in rows)

    async def test_a_star_excludes_all_inputs(
        self, settings_env: dict[str, str], publisher: Publisher, tmp_path: Path
    ) -> None:
        async with watched(settings_env, publisher, tmp_path, model_tags=[(tags.LOG_EXCLUDE, "*")]) as service:
            await service.ask(frame_of(2))
            await service.written()
            rows = await service.logged()
        assert rows
        assert all(row["inputs"] is None for row in rows)


class TestTenants:
    async def test_a_tenant_sees_its_own_predictions_only(self, service: Watched) -> None:
        await service.ask(frame_of(1))
        await service.written()
        assert await service.logged()
        assert await service.logged("other") == []

    async def test_the_role_of_services_may_not_read_a_partition(self, database_urls: DatabaseUrls) -> None:
        with psycopg.connect(database_urls.app) as connection:
            names = connection.execute(PARTITIONS).fetchall()
            assert names
            for (name,) in names:
                with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(name)))


class TestPartitions:
    def days(self, urls: DatabaseUrls) -> list[str]:
        with psycopg.connect(urls.owner) as connection:
            rows = connection.execute(f"{PARTITIONS} ORDER BY 1").fetchall()
        return [name.removeprefix("prediction_log_") for (name,) in rows]

    def test_are_made_ahead_once(self, database_urls: DatabaseUrls) -> None:
        before = self.days(database_urls)
        with psycopg.connect(database_urls.app, autocommit=True) as connection:
            made = connection.execute("SELECT create_prediction_partitions(6)").fetchone()
            again = connection.execute("SELECT create_prediction_partitions(6)").fetchone()
        assert (made, again) == ((3,), (0,))
        assert len(self.days(database_urls)) == len(before) + 3

    def test_older_ones_than_the_retention_are_dropped(self, database_urls: DatabaseUrls) -> None:
        with psycopg.connect(database_urls.owner, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE prediction_log_20200101 PARTITION OF prediction_log"
                " FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')"
            )
        before = self.days(database_urls)
        with psycopg.connect(database_urls.app, autocommit=True) as connection:
            assert connection.execute("SELECT drop_prediction_partitions(30)").fetchone() == (1,)
        assert self.days(database_urls) == before[1:]

    @pytest.mark.parametrize("call", ["drop_prediction_partitions(0)", "create_prediction_partitions(400)"])
    def test_refuse_what_would_do_harm(self, database_urls: DatabaseUrls, call: str) -> None:
        with (
            psycopg.connect(database_urls.app) as connection,
            pytest.raises(psycopg.errors.InvalidParameterValue),
        ):
            connection.execute(f"SELECT {call}")

    async def test_a_missing_one_is_made_when_it_is_needed(
        self, service: Watched, settings_env: dict[str, str]
    ) -> None:
        with psycopg.connect(settings_env["ML_DATABASE_OWNER_URL"], autocommit=True) as connection:
            for (name,) in connection.execute(PARTITIONS).fetchall():
                connection.execute(psycopg.sql.SQL("DROP TABLE {}").format(psycopg.sql.Identifier(name)))
        await service.ask(frame_of(1))
        await service.written()
        assert len(await service.logged()) == 1


class TestTasks:
    async def test_a_task_that_is_due_goes_to_one_of_two(self, service: Watched) -> None:
        async with service.database.transaction() as connection:
            await connection.execute("UPDATE monitoring_tasks SET due_at = now() - interval '1 second'")
        taken = []
        for _ in range(2):
            async with service.database.transaction() as connection:
                taken.append(await repository.claim(connection, "windows", timedelta(minutes=5)))
        assert sorted(taken) == [False, True]
