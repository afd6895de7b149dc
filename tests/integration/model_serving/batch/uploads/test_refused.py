"""Requests that break a limit, or make no sense, leave nothing behind."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from tests.integration.model_serving.batch.uploads.conftest import (
    KIB,
    LIMITS,
    TEXT,
    Bucket,
    bucket_in,
    rows,
    send,
)
from tests.integration.model_serving.publisher import Publisher
from tests.integration.model_serving.running import Service, serving
from tests.unit.model_serving.batch.uploads.corpus import link, packed

REFUSED = {
    "a file that is too large": ([TEXT, b"a" * (64 * KIB + 1)], 413),
    "files that are too large together": ([b"a" * (63 * KIB)] * 3, 413),
    "too many files": ([TEXT] * 6, 413),
    "a form that is much too large": ([b"a" * (2 * KIB * KIB)], 413),
    "an archive with more than it may have": ([TEXT, packed({str(number): b"" for number in range(400)})], 413),
    "an archive that unpacks to much": ([TEXT, packed({"a": bytes(65 * KIB)})], 413),
    "archives that unpack to much together": ([packed({"a": bytes(60 * KIB)})] * 3, 413),
    "nothing but archives that are of no use": ([packed({"a": b"1"})[:-3], link()], 422),
    "nothing that can be scored": ([b"%PDF-1.7", b"\x7fELF"], 415),
    "nothing that can be scored, and an archive": ([b"%PDF-1.7", link()], 415),
    "no file": ([], 415),
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def environment(module_env: dict[str, str]) -> dict[str, str]:
    return module_env | LIMITS | {"ML_S3_BUCKET": f"t{uuid4().hex[:12]}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bucket(environment: dict[str, str]) -> AsyncIterator[Bucket]:
    async with bucket_in(environment) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(
    environment: dict[str, str],
    bucket: Bucket,
    module_publisher: Publisher,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Service]:
    module_publisher.linear(2.0)
    async with serving(environment, module_publisher, tmp_path_factory.mktemp("serving")) as running:
        yield running


@pytest.fixture
def publisher(module_publisher: Publisher) -> Publisher:
    return module_publisher


@pytest.fixture
def owner(environment: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(environment["ML_DATABASE_OWNER_URL"], autocommit=True) as connection:
        yield connection


class TestRefused:
    @pytest.mark.parametrize("name", REFUSED)
    async def test_nothing_is_left(
        self, service: Service, publisher: Publisher, bucket: Bucket, owner: psycopg.Connection, name: str
    ) -> None:
        contents, status = REFUSED[name]
        answer = await send(service, publisher, *contents)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (bucket.listed(), rows(owner)) == (set(), [])
        assert (await service.client.get("/api/v1/jobs")).json()["jobs"] == []

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"model": "nobody-has-this"}, 404),
            ({"version": "77"}, 404),
            ({"version": "1", "alias": "production"}, 422),
            ({"params": "{"}, 422),
            ({"params": "[]"}, 422),
            ({"colour": "red"}, 422),
            ({"params": "x" * (65 * KIB)}, 413),
        ],
    )
    async def test_nor_when_a_field_is_wrong(
        self,
        service: Service,
        publisher: Publisher,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        fields: dict[str, str],
        status: int,
    ) -> None:
        answer = await send(service, publisher, TEXT, **fields)
        assert answer.status_code == status, answer.text
        assert (bucket.listed(), rows(owner)) == (set(), [])

    @pytest.mark.parametrize(
        ("content_type", "body", "status"),
        [
            ("application/json", b"{}", 415),
            ("multipart/form-data", b"", 415),
            ("multipart/form-data; boundary=x", b"", 422),
            ("multipart/form-data; boundary=x", b"--y\r\n\r\n", 422),
            ("multipart/form-data; boundary=x", b"--x\r\n\r\na\r\n--x--\r\n", 422),
            ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 500, 422),
            (
                "multipart/form-data; boundary=x",
                b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhello',
                422,
            ),
            ("multipart/form-data; boundary=" + "x" * 300, b"", 422),
        ],
    )
    async def test_nor_when_it_is_no_form(
        self,
        service: Service,
        bucket: Bucket,
        owner: psycopg.Connection,
        *,
        content_type: str,
        body: bytes,
        status: int,
    ) -> None:
        answer = await service.client.post("/api/v1/batch/files", content=body, headers={"Content-Type": content_type})
        assert answer.status_code == status, answer.text
        assert (bucket.listed(), rows(owner)) == (set(), [])
