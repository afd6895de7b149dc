"""Large inputs, on real stores."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import orjson
import pytest

from mlplatform.errors import NotFound
from mlplatform.events import running
from mlplatform.idempotency import RepeatableRequest
from mlplatform.service.kernel import Kernel
from services.embedding.batcher import Batcher
from services.embedding.errors import TooManyJobs
from services.embedding.jobs.job import Job
from services.embedding.jobs.jobs import Jobs, Order
from services.embedding.jobs.lines import CHUNK_LINES
from services.embedding.jobs.worker import JobWorker
from services.embedding.served_model import ServedModel
from services.embedding.settings import EmbeddingSettings
from tests.integration.embedding.running import Running, serve
from tests.integration.embedding.waiting import eventually
from tests.unit.embedding.encoders import HeldEncoder, WordEncoder

PATH = "/api/v1/embed/jobs"
NDJSON = {"Content-Type": "application/x-ndjson"}
NEVER = timedelta(hours=1)
AT_ONCE = timedelta()


@pytest.fixture
async def service(settings: EmbeddingSettings, kernel: Kernel) -> AsyncIterator[Running]:
    await kernel.objects.ensure_bucket()
    async with serve(settings, WordEncoder()) as running:
        yield running


def ndjson(lines: list[Any]) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


async def finished(client: httpx.AsyncClient, content: bytes, **query: str | int) -> dict[str, Any]:
    """Send a job and return it when it has ended."""
    response = await client.post(PATH, content=content, params=query, headers=NDJSON)
    assert response.status_code == 202, response.text
    path = response.headers["Location"]

    async def has_ended() -> bool:
        return (await client.get(path)).json()["state"] in {"done", "failed"}

    await eventually(has_ended)
    return (await client.get(path)).json()


class TestJob:
    async def test_each_line_has_its_answer_in_order(self, service):
        lines = ["yield curve", {"id": "b", "text": "word " * 65}, {"id": 3, "text": "swap rates"}]
        job = await finished(service.client, ndjson(lines))
        result = await service.client.get(f"{PATH}/{job['id']}/result")
        answers = [orjson.loads(line) for line in result.content.splitlines()]

        assert (job["state"], job["lines"], job["texts"], job["failed"]) == ("done", 3, 3, 0)
        assert [(answer["line"], answer.get("id")) for answer in answers] == [(1, None), (2, "b"), (3, 3)]
        assert [answer["truncated"] for answer in answers] == [False, True, False]
        assert np.allclose(answers[0]["embedding"], WordEncoder().encode(["yield curve"])[0], atol=1e-6)

    async def test_many_lines_make_one_result(self, service):
        texts = [f"text {number}" for number in range(2 * CHUNK_LINES + 7)]
        job = await finished(service.client, ndjson(texts), output="npy")
        result = await service.client.get(f"{PATH}/{job['id']}/result")

        assert np.allclose(np.load(io.BytesIO(result.content)), WordEncoder().encode(texts), atol=1e-6)

    async def test_a_wrong_line_fails_alone(self, service):
        content = b'"good"\n{\n\n{"id": 4, "text": "poison"}\n"infinite"\n"good too"\n'
        job = await finished(service.client, content)
        result = await service.client.get(f"{PATH}/{job['id']}/result")
        answers = {found["line"]: found for found in map(orjson.loads, result.content.splitlines())}

        assert (job["state"], job["texts"], job["failed"]) == ("done", 5, 3)
        assert [line for line, found in answers.items() if "embedding" in found] == [1, 6]
        assert answers[4]["id"] == 4
        assert all(answers[line]["error"] for line in (2, 4, 5))

    async def test_a_matrix_has_no_numbers_for_a_line_that_failed(self, service):
        job = await finished(service.client, b'"good"\n{\n"good too"\n', output="npy", dimensions=64)
        matrix = np.load(io.BytesIO((await service.client.get(f"{PATH}/{job['id']}/result")).content))
        errors = (await service.client.get(f"{PATH}/{job['id']}/errors")).content

        assert (matrix.shape, job["dimension"]) == ((3, 64), 64)
        assert np.isnan(matrix).all(axis=1).tolist() == [False, True, False]
        assert [orjson.loads(line)["line"] for line in errors.splitlines()] == [2]

    async def test_an_object_of_the_tenant_can_be_the_input(self, service, kernel, unique):
        key = f"uploads/default/{unique}.ndjson"
        await kernel.objects.put(key, ndjson(["one", "two"]))

        job = await finished(service.client, b"", input_key=key)

        assert (job["state"], job["texts"]) == ("done", 2)

    async def test_an_input_that_is_gone_fails_the_job(self, kernel):
        await kernel.objects.ensure_bucket()
        worker = JobWorker(kernel.database, kernel.objects, lambda: None, characters=100)
        job = await Jobs(kernel.database, kernel.objects, worker).add("other", b'"a"\n', Order("ndjson"), once())
        await kernel.objects.delete(job.input_key)

        assert (await ended(kernel, job)).error == "The input is no longer there."

    @pytest.mark.parametrize("key", ["uploads/default/none", "uploads/other/x", "uploads/default/../x", "x\x00"])
    async def test_another_s_object_cannot_be_the_input(self, service, key):
        response = await service.client.post(PATH, params={"input_key": key}, headers=NDJSON)

        assert response.status_code == 422

    @pytest.mark.parametrize(
        ("status", "query", "content", "headers"),
        [
            (422, {}, b" \n", NDJSON),
            (415, {}, b'"a"', {"Content-Type": "text/plain"}),
            (422, {"output": "csv"}, b'"a"', NDJSON),
            (422, {"dimensions": 385}, b'"a"', NDJSON),
            (422, {"prompt": "x" * 2001}, b'"a"', NDJSON),
            (422, {"unknown": "x"}, b'"a"', NDJSON),
        ],
    )
    async def test_a_wrong_order_is_refused(self, service, status, query, content, headers):
        response = await service.client.post(PATH, params=query, content=content, headers=headers)

        assert response.status_code == status

    async def test_sent_twice_it_is_one_job(self, service):
        headers = NDJSON | {"Idempotency-Key": "one"}
        first, second = [await service.client.post(PATH, content=b'"a"\n', headers=headers) for _ in range(2)]

        assert first.json()["id"] == second.json()["id"]

    async def test_a_deleted_job_leaves_nothing(self, service, kernel):
        job = await finished(service.client, b'"a"\n')
        response = await service.client.delete(f"{PATH}/{job['id']}")

        assert response.status_code == 204
        assert not await kernel.objects.exists(job["result_key"])
        assert (await service.client.get(f"{PATH}/{job['id']}")).status_code == 404

    async def test_an_unknown_job_is_not_found(self, service):
        for method, path in (("GET", ""), ("GET", "/result"), ("GET", "/errors"), ("DELETE", "")):
            assert (await service.client.request(method, f"{PATH}/{uuid4()}{path}")).status_code == 404


def once() -> RepeatableRequest:
    return RepeatableRequest("POST", None, b"")


def model_of(encoder: WordEncoder, batcher: Batcher, digest: str = "d" * 64) -> ServedModel:
    return ServedModel("3", "3", digest, encoder, batcher)


def worker_of(kernel: Kernel, model: ServedModel, lease: timedelta = AT_ONCE) -> JobWorker:
    return JobWorker(kernel.database, kernel.objects, lambda: model, characters=1000, lease=lease)


async def find(kernel: Kernel, job: Job) -> Job:
    return await Jobs(kernel.database, kernel.objects, worker_of(kernel, None)).find(job.tenant_id, job.id)


async def ended(kernel: Kernel, job: Job) -> Job:
    """Work on jobs until this one has ended, and return it."""
    encoder = WordEncoder()
    batcher = Batcher(encoder, max_queued_texts=1000)
    async with running(batcher, "encoder"):
        worker = worker_of(kernel, model_of(encoder, batcher))
        while await worker.work():
            pass
    return await find(kernel, job)


class OneBatchEncoder(HeldEncoder):
    """Encodes one batch, and holds the next."""

    def __init__(self) -> None:
        super().__init__()
        self.gate.set()

    def forward(self, tokens):
        vectors = super().forward(tokens)
        self.gate.clear()
        return vectors


class TestCrash:
    """A node that ends in the middle: `cancel` is how its task sees that."""

    @pytest.fixture
    async def job(self, kernel: Kernel) -> Job:
        await kernel.objects.ensure_bucket()
        content = ndjson([f"text {number}" for number in range(3 * CHUNK_LINES)])
        worker = worker_of(kernel, None)
        job = await Jobs(kernel.database, kernel.objects, worker).add("acme", content, Order("npy"), once())
        assert isinstance(job, Job)
        return job

    async def crash(self, kernel: Kernel, job: Job, *, lease: timedelta, digest: str = "d" * 64) -> None:
        """Work on the job, and end without a word after its first chunk was stored."""
        encoder = OneBatchEncoder()
        batcher = Batcher(encoder, max_queued_texts=1000)

        async def has_stored() -> bool:
            return (await find(kernel, job)).parts == 1

        async with running(batcher, "encoder"):
            task = asyncio.create_task(worker_of(kernel, model_of(encoder, batcher, digest), lease).work())
            await eventually(has_stored)
            task.cancel()
            await asyncio.wait({task})
            encoder.gate.set()

    async def test_another_node_goes_on_from_what_is_stored(self, kernel, job):
        await self.crash(kernel, job, lease=AT_ONCE)
        stored = await find(kernel, job)
        encoder = WordEncoder()
        batcher = Batcher(encoder, max_queued_texts=1000)
        async with running(batcher, "encoder"):
            await worker_of(kernel, model_of(encoder, batcher)).work()
        done = await find(kernel, job)
        matrix = np.load(io.BytesIO(await kernel.objects.get(done.result_key)))

        assert sum(encoder.forwarded) == 3 * CHUNK_LINES - stored.texts
        assert np.allclose(matrix, WordEncoder().encode([f"text {number}" for number in range(3 * CHUNK_LINES)]))

    async def test_a_job_stays_with_its_node_until_the_lease_ends(self, kernel, job):
        await self.crash(kernel, job, lease=NEVER)

        assert (await ended(kernel, job)).state == "running"

    async def test_with_another_model_it_starts_over(self, kernel, job):
        await self.crash(kernel, job, lease=AT_ONCE, digest="e" * 64)
        done = await ended(kernel, job)

        assert (done.state, done.digest, done.texts) == ("done", "d" * 64, 3 * CHUNK_LINES)

    async def test_a_job_that_ends_every_node_is_given_up(self, kernel, job):
        for _ in range(5):
            async with kernel.database.transaction() as connection:
                await connection.execute("SELECT * FROM claim_embedding_job('0')")

        done = await ended(kernel, job)

        assert done.state == "failed"
        assert "nodes in a row" in str(done.error)

    async def test_a_job_deleted_meanwhile_is_left_alone(self, kernel, job):
        await self.crash(kernel, job, lease=AT_ONCE)
        jobs = Jobs(kernel.database, kernel.objects, worker_of(kernel, None))
        await jobs.remove("acme", job.id)

        encoder = WordEncoder()
        batcher = Batcher(encoder, max_queued_texts=1000)
        async with running(batcher, "encoder"):
            assert not await worker_of(kernel, model_of(encoder, batcher)).work()


async def left(kernel: Kernel, job: Job) -> list[str]:
    """Return the objects that there are of a job."""
    return [key for key in job.own_keys() if await kernel.objects.exists(key)]


class TestRemoval:
    """Nothing stays of a job that nobody can ask for."""

    @pytest.fixture
    async def jobs(self, kernel: Kernel) -> Jobs:
        await kernel.objects.ensure_bucket()
        return Jobs(kernel.database, kernel.objects, worker_of(kernel, None), most=2)

    async def test_a_part_that_is_stored_meanwhile_is_deleted_too(self, kernel, jobs):
        content = ndjson([f"text {number}" for number in range(3 * CHUNK_LINES)])
        job = await jobs.add("acme", content, Order("npy"), once())
        encoder = HeldEncoder()
        batcher = Batcher(encoder, max_queued_texts=1000)
        async with running(batcher, "encoder"):
            working = asyncio.create_task(worker_of(kernel, model_of(encoder, batcher), NEVER).work())
            await eventually(encoder.started.is_set)
            await jobs.remove("acme", job.id)
            encoder.gate.set()
            await working

        assert await left(kernel, job) == []

    async def test_a_node_that_died_leaves_it_to_another(self, kernel, jobs):
        content = ndjson([f"text {number}" for number in range(3 * CHUNK_LINES)])
        job = await jobs.add("acme", content, Order("npy"), once())
        await TestCrash().crash(kernel, job, lease=NEVER)
        await jobs.remove("acme", job.id)
        worker = worker_of(kernel, None)

        with pytest.raises(NotFound):
            await jobs.find("acme", job.id)
        assert not await worker.clear()  # the node might live
        async with kernel.database.transaction("acme") as connection:
            await connection.execute("UPDATE embedding_jobs SET lease_until = now()")
        assert await worker.clear()
        assert await left(kernel, job) == []
        assert not await worker.clear()

    async def test_a_job_that_ended_long_ago_is_removed(self, kernel, jobs):
        old = await ended(kernel, await jobs.add("acme", b'"a"\n', Order("ndjson"), once()))
        fresh = await jobs.add("acme", b'"a"\n', Order("ndjson"), once())
        assert not await worker_of(kernel, None).clear()
        worker = JobWorker(kernel.database, kernel.objects, lambda: None, characters=1000, retention=AT_ONCE)

        assert await worker.clear()

        assert await left(kernel, old) == []
        with pytest.raises(NotFound):
            await jobs.find("acme", old.id)
        assert (await jobs.find("acme", fresh.id)).state == "pending"
        assert not await worker.clear()

    async def test_a_job_whose_part_is_gone_fails_and_the_next_one_is_done(self, kernel, jobs):
        content = ndjson([f"text {number}" for number in range(3 * CHUNK_LINES)])
        broken = await jobs.add("acme", content, Order("npy"), once())
        await TestCrash().crash(kernel, broken, lease=AT_ONCE)
        await kernel.objects.delete(broken.part_keys(1)[0])
        other = await jobs.add("acme", b'"a"\n', Order("ndjson"), once())

        assert (await ended(kernel, other)).state == "done"
        failed = await find(kernel, broken)
        assert (failed.state, failed.error) == (
            "failed",
            "A part of the result is no longer there; send the job again.",
        )

    async def test_a_tenant_has_so_many_jobs_and_no_more(self, jobs):
        repeated = RepeatableRequest("POST", "key", b"1" * 32)
        first = await jobs.add("acme", b'"a"\n', Order("ndjson"), repeated)
        await jobs.add("acme", b'"a"\n', Order("ndjson"), once())

        with pytest.raises(TooManyJobs):
            await jobs.add("acme", b'"a"\n', Order("ndjson"), once())
        assert (await jobs.add("acme", b'"a"\n', Order("ndjson"), repeated)).body["id"] == str(first.id)
        assert isinstance(await jobs.add("other", b'"a"\n', Order("ndjson"), once()), Job)
        await jobs.remove("acme", first.id)
        assert isinstance(await jobs.add("acme", b'"a"\n', Order("ndjson"), once()), Job)


class TestTenants:
    async def test_a_job_of_another_tenant_is_not_found(self, service, kernel):
        worker = worker_of(kernel, None)
        other = await Jobs(kernel.database, kernel.objects, worker).add("other", b'"a"\n', Order("ndjson"), once())
        assert isinstance(other, Job)

        assert (await service.client.get(f"{PATH}/{UUID(str(other.id))}")).status_code == 404
        assert (await service.client.delete(f"{PATH}/{other.id}")).status_code == 404
