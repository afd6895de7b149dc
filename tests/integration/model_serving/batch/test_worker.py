"""Jobs from their submission to their results, with a worker that is a process of its own."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias
from unittest import mock

import orjson
import psycopg
import pytest
import redis.asyncio

from mlplatform.service.fault import EXIT_STATUS
from services.model_serving.batch.doorbell.celery_app import QUEUE, make_celery
from services.model_serving.batch.work.burial import MOST_DEATHS
from services.model_serving.settings import ServingSettings
from tests.integration.model_serving.batch.workers import ended, results, submit, worker
from tests.integration.model_serving.publisher import Publisher, frame_of, records_of
from tests.integration.model_serving.running import DEADLINE, Service, eventually, serving

ROWS = records_of(frame_of(300, seed=3))
KILLER = """
    import os, signal, time
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    class Model(PythonModel):
        def predict(self, context, model_input, params=None):
            first = float(model_input["a"].iloc[0])
            if first == 666.0:
                os.kill(os.getpid(), signal.SIGKILL)
            if first == 777.0:
                time.sleep(0.2)
            return model_input["a"] * 2

    set_model(Model())
"""

LOADING = """
    import os
    from mlflow.models import set_model
    from mlflow.pyfunc import PythonModel

    def note(what):
        with open({notes!r}, "a") as notes:
            notes.write(f"{{what}} {{os.getpid()}}\\n")

    class Model(PythonModel):
        def load_context(self, context):
            note("load")

        def predict(self, context, model_input, params=None):
            note("call")
            return model_input["a"] * 2

    set_model(Model())
"""
SPOIL = """
    CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.input = 'no items';  -- which can be neither scored nor halved
        RETURN NEW;
    END $$;
    CREATE TRIGGER spoil BEFORE INSERT ON batch_chunks FOR EACH ROW WHEN (NEW.kind = 'score') EXECUTE FUNCTION spoil();
"""


Noted: TypeAlias = Callable[[], list[tuple[str, str]]]
"""Says which processes did what."""


@pytest.fixture
async def service(settings_env: dict[str, str], publisher: Publisher, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(settings_env, publisher, tmp_path / "serving", ML_BATCH_CHUNK_ITEMS="64") as running:
        yield running


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Return an empty file that a model may write to."""
    file = tmp_path / "notes"
    file.touch()
    return file


@pytest.fixture
def killer(publisher: Publisher) -> None:
    """Register a model that kills its process over a row with an `a` of 666, and takes long over one of 777."""
    publisher.code(KILLER)


def rows_of(*values: float) -> list[dict[str, float]]:
    """Return a row with each of the values as its `a`."""
    return [{"a": float(value), "b": 0.0, "c": 0.0} for value in values]


class TestScores:
    async def test_results_are_what_a_prediction_answers_and_wrong_items_fail_alone(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.promote(publisher.linear(2.0))
        await eventually(lambda: service.serves(publisher.name, "1", ROWS[:1]))
        inputs = [*ROWS, {"a": "text", "b": 1.0, "c": 2.0}, ROWS[0], {"a": 1.0}, 7]
        async with worker(settings_env, tmp_path) as (client, process):
            place = await submit(service, publisher, inputs)
            publisher.promote(publisher.linear(5.0))  # of no concern to the job
            job = await ended(service, place)
            found = await results(service, place)
            second = await ended(service, await submit(service, publisher, ROWS[:3], version=2))
            metrics = (await client.get("/metrics")).text
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await process.wait()
        assert (job["state"], job["succeeded"], job["failed"], job["version"]) == ("completed", 301, 3, "1")
        expected = (await service.predict(publisher.name, [*ROWS, ROWS[0]], version=1)).json()["predictions"]
        assert [one["output"] for one in found if one["state"] == "succeeded"] == expected
        wrong = {one["item"]: one["error"] for one in found if one["state"] == "failed"}
        assert sorted(wrong) == [300, 302, 303]
        assert wrong[300]["code"] == "invalid_inputs"
        assert wrong[300]["errors"][0]["field"] == "item.a"
        assert (second["state"], second["version"]) == ("completed", "2")
        assert f'ml_jobs_items_total{{model="{publisher.name}",state="failed",version="1"}} 3.0' in metrics
        log = (tmp_path / "worker.log").read_text()
        assert "Traceback" not in log

    async def test_a_message_wakes_a_worker_that_would_not_look_for_an_hour(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        async with worker(settings_env, tmp_path, ML_BATCH_POLL_INTERVAL="1h", ML_BATCH_LEASE="1h"):
            for _ in range(3):
                assert (await ended(service, await submit(service, publisher, ROWS[:2], version=1)))["succeeded"] == 2

    async def test_without_a_broker_the_job_is_done_all_the_same(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0)
        away = {"ML_REDIS_URL": "redis://127.0.0.1:1/0"}
        async with (
            serving(settings_env, publisher, tmp_path / "serving", **away) as service,
            worker(settings_env | away, tmp_path),
        ):
            assert (await ended(service, await submit(service, publisher, ROWS[:2], version=1)))["succeeded"] == 2

    async def test_a_version_that_cannot_be_loaded_fails_the_job(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        publisher.linear(2.0, serialization_format="cloudpickle")
        async with worker(settings_env, tmp_path):
            place = await submit(service, publisher, ROWS[:100], version=1)
            job = await ended(service, place)
            found = await results(service, place)
        assert (job["state"], job["failed"]) == ("failed", 100)
        assert "pickle" in job["error"]
        assert {one["error"]["code"] for one in found} == {"model_not_loaded"}


class TestLoads:
    @pytest.fixture
    def noted(self, publisher: Publisher, notes: Path) -> Noted:
        """Register a model that notes its loads and calls; return what says those of workers, with their processes."""
        publisher.code(LOADING.format(notes=str(notes)))

        def read() -> list[tuple[str, str]]:
            found = [line.partition(" ") for line in notes.read_text().splitlines()]
            return [(what, process) for what, _, process in found if process != str(os.getpid())]

        return read

    async def test_each_process_that_scores_loads_a_version_once_for_all_of_its_chunks(
        self,
        service: Service,
        publisher: Publisher,
        settings_env: dict[str, str],
        tmp_path: Path,
        noted: Noted,
    ) -> None:
        inputs = rows_of(777) * 640
        async with worker(settings_env, tmp_path, ML_BATCH_PROCESSES="2"):
            places = [await submit(service, publisher, inputs, version=1) for _ in range(2)]
            jobs = [await ended(service, place) for place in places]
        assert [job["succeeded"] for job in jobs] == [640, 640]
        loads = [process for what, process in noted() if what == "load"]
        calls = [process for what, process in noted() if what == "call"]
        assert Counter(loads) == dict.fromkeys(calls, 1)
        assert 1 <= len(loads) <= 2
        assert len(calls) > 20  # there are twenty chunks

    async def test_one_that_cannot_be_loaded_has_no_other_loaded_again(
        self,
        service: Service,
        publisher: Publisher,
        settings_env: dict[str, str],
        tmp_path: Path,
        noted: Noted,
    ) -> None:
        publisher.linear(2.0, serialization_format="cloudpickle")
        async with worker(settings_env, tmp_path, ML_BATCH_MODELS="1"):
            jobs = [
                await ended(service, await submit(service, publisher, ROWS[:2], version=version, report=False))
                for version in (1, 2, 1)
            ]
        assert [job["state"] for job in jobs] == ["completed", "failed", "completed"]
        assert [what for what, _ in noted()].count("load") == 1


class TestRedelivery:
    async def test_a_message_that_comes_again_while_its_chunk_is_scored_has_it_scored_once(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, notes: Path, owner: psycopg.Connection
    ) -> None:
        visible = {"ML_BATCH_VISIBILITY_TIMEOUT": "1s", "ML_BATCH_TURN": "1h"}
        publisher.noting(notes, seconds=0.2)
        inputs = rows_of(*range(100, 140))  # eight seconds
        with mock.patch.dict(os.environ, settings_env | visible):
            celery = make_celery(ServingSettings())
        async with (
            serving(settings_env, publisher, tmp_path / "serving", **visible) as service,
            redis.asyncio.Redis.from_url(settings_env["ML_REDIS_URL"]) as client,
        ):
            with celery.connection_for_read() as connection:
                channel = connection.default_channel
                place = await submit(service, publisher, inputs, version=1)
                await eventually(lambda: client.llen("ml:batch:batch"))
                (message,) = await client.lrange("ml:batch:batch", 0, -1)
                assert channel.basic_get(QUEUE) is not None  # by a worker that never acknowledges it

                async def heard() -> bool:
                    channel.qos.restore_visible(interval=1)  # what every worker does now and then
                    return not await client.keys("ml:batch:unacked*") and not await client.llen("ml:batch:batch")

                async with worker(settings_env | visible, tmp_path, ML_BATCH_PROCESSES="2"):
                    await eventually(lambda: asyncio.to_thread(notes.read_text))
                    await eventually(heard)
                    await client.lpush("ml:batch:batch", message, message)
                    await eventually(heard)
                    assert await _running(service, place)
                    job = await ended(service, place)
                    found = await results(service, place)
        assert (job["state"], job["succeeded"]) == ("completed", 40)
        assert [one["output"] for one in found] == [2 * item["a"] for item in inputs]
        assert owner.execute("SELECT claim, deaths FROM batch_chunks WHERE kind = 'score'").fetchall() == [(1, 0)]
        written = await asyncio.to_thread(notes.read_text)
        assert sorted(map(float, written.split())) == [item["a"] for item in inputs]


@pytest.mark.usefixtures("killer")
class TestDeath:
    async def test_an_item_that_kills_its_process_is_isolated(
        self, service: Service, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path
    ) -> None:
        inputs = rows_of(*range(13), 666, *range(14, 20))
        async with worker(settings_env, tmp_path) as (_, process):
            place = await submit(service, publisher, inputs, version=1)
            job = await ended(service, place)
            found = await results(service, place)
            assert process.returncode is None
        assert (job["state"], job["succeeded"], job["failed"]) == ("completed", 19, 1)
        assert found[13]["error"]["code"] == "poison"
        assert [one["output"] for one in found if one["item"] != 13] == [2.0 * n for n in range(20) if n != 13]

    async def test_a_killed_worker_loses_and_doubles_nothing(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        inputs = rows_of(*(number if number % 3 else 777 for number in range(60)))
        changes = {"ML_BATCH_CHUNK_ITEMS": "3", "ML_BATCH_LEASE": "1s"}
        async with serving(settings_env, publisher, tmp_path / "serving", **changes) as service:
            place = await submit(service, publisher, inputs, version=1)
            for _ in range(2):
                before = owner.execute("SELECT count(*) FROM batch_results").fetchone()[0]

                async def moved(before: int = before) -> bool:
                    return owner.execute("SELECT count(*) FROM batch_results").fetchone()[0] > before

                async with worker(settings_env, tmp_path, **changes) as (_, process):
                    await eventually(moved)
                    process.send_signal(signal.SIGKILL)
                    await process.wait()
            async with worker(settings_env, tmp_path, **changes):
                job = await ended(service, place)
            found = await results(service, place)
        assert (job["state"], job["succeeded"]) == ("completed", 60)
        assert [one["output"] for one in found] == [2 * item["a"] for item in inputs]

    async def test_sigterm_gives_back_what_would_take_too_long(
        self, publisher: Publisher, settings_env: dict[str, str], tmp_path: Path, owner: psycopg.Connection
    ) -> None:
        inputs = rows_of(777) * 200  # forty seconds
        async with (
            serving(settings_env, publisher, tmp_path / "serving") as service,
            worker(settings_env, tmp_path, ML_SHUTDOWN_TIMEOUT="6s", ML_BATCH_TURN="1h") as (_, process),
        ):
            place = await submit(service, publisher, inputs, version=1)
            await eventually(lambda: _running(service, place))
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(30):
                await process.wait()
            job = (await service.client.get(place)).json()
        assert job["finished_at"] is None
        chunks = owner.execute("SELECT state, deaths FROM batch_chunks").fetchall()
        assert chunks == [("queued", 0)]
        assert "Traceback" not in (tmp_path / "worker.log").read_text()


class TestFault:
    async def test_a_job_on_which_the_worker_breaks_stops_no_other(
        self,
        service: Service,
        publisher: Publisher,
        settings_env: dict[str, str],
        tmp_path: Path,
        owner: psycopg.Connection,
    ) -> None:
        publisher.linear(2.0)
        places = [await submit(service, publisher, ROWS[:1], version=1, report=False) for _ in range(2)]
        one = (places[0].rsplit("/", 1)[1],)
        owner.execute("""UPDATE batch_jobs SET model = model || '{"colour": "red"}' WHERE id = %s""", one)

        async def has_ended() -> bool:
            return owner.execute("SELECT finished_at FROM batch_jobs WHERE id = %s", one).fetchone() != (None,)

        async with worker(settings_env, tmp_path) as (client, process):
            good = await ended(service, places[1])
            await eventually(has_ended)
            owner.execute("UPDATE batch_jobs SET model = model - 'colour'")  # of which the service can make as little
            bad = await ended(service, places[0])
            (found,) = await results(service, places[0])
            metrics = (await client.get("/metrics")).text
            assert process.returncode is None
        assert (bad["failed"], good["succeeded"]) == (1, 1)
        assert found["error"]["code"] == "poison"
        assert "TypeError in the worker" in found["error"]["detail"]
        assert f'ml_jobs_deaths_total{{noticed="fault"}} {MOST_DEATHS}.0' in metrics
        assert "batch.fault" in (tmp_path / "worker.log").read_text()

    async def test_a_worker_that_cannot_go_on_ends_and_the_next_one_does_what_it_left(
        self,
        service: Service,
        publisher: Publisher,
        settings_env: dict[str, str],
        tmp_path: Path,
        owner: psycopg.Connection,
    ) -> None:
        publisher.linear(2.0)
        async with worker(settings_env, tmp_path, ML_BATCH_LEASE="1s") as (_, process):
            owner.execute(SPOIL)
            place = await submit(service, publisher, ROWS[:2], version=1)
            async with asyncio.timeout(DEADLINE):
                assert await process.wait() == EXIT_STATUS
        log = (tmp_path / "worker.log").read_text()
        assert "service.fault" in log
        assert "JSONDecodeError" in log
        owner.execute("DROP TRIGGER spoil ON batch_chunks")
        owner.execute("UPDATE batch_chunks SET input = %s WHERE kind = 'score'", (orjson.dumps(ROWS[:2]),))
        async with worker(settings_env, tmp_path, ML_BATCH_LEASE="1s"):
            assert (await ended(service, place))["succeeded"] == 2

    async def test_one_that_is_told_to_end_while_it_drains_has_failed_all_the_same(
        self,
        service: Service,
        publisher: Publisher,
        settings_env: dict[str, str],
        tmp_path: Path,
        owner: psycopg.Connection,
    ) -> None:
        gates, log = tmp_path / "gates", tmp_path / "worker.log"
        publisher.gated(gates)

        async def begun() -> bool:
            return bool((gates / "begun").read_text())

        async def draining() -> bool:
            return "batch.draining" in log.read_text()

        changes = {"ML_BATCH_PROCESSES": "2", "ML_SHUTDOWN_TIMEOUT": "5m"}
        async with worker(settings_env, tmp_path, **changes) as (_, process):
            await submit(service, publisher, rows_of(100), version=1)
            await eventually(begun)
            owner.execute(SPOIL)
            await submit(service, publisher, ROWS[:2], version=1)
            await eventually(draining)
            process.send_signal(signal.SIGTERM)
            (gates / "100").touch()
            async with asyncio.timeout(DEADLINE):
                assert await process.wait() == EXIT_STATUS
        assert "service.fault" in log.read_text()


async def _running(service: Service, place: str) -> bool:
    return (await service.client.get(place)).json()["state"] == "running"
