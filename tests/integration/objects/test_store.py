from collections.abc import AsyncIterator

import httpx
import pytest

from mlplatform.errors import DependencyUnavailable, NotFound, Unprocessable
from mlplatform.objects import ObjectStore
from mlplatform.settings import PlatformSettings


@pytest.fixture
def settings(stack_env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> PlatformSettings:
    for name, value in stack_env.items():
        monkeypatch.setenv(name, value)
    return PlatformSettings()


@pytest.fixture
async def store(settings: PlatformSettings) -> AsyncIterator[ObjectStore]:
    store = ObjectStore(settings)
    await store.ensure_bucket()
    yield store
    store.close()


@pytest.fixture
async def key(store: ObjectStore, unique: str) -> AsyncIterator[str]:
    key = f"tests/{unique}/größe 1.bin"
    yield key
    await store.delete(key)


class TestRoundTrip:
    async def test_bytes_come_back(self, store: ObjectStore, key: str) -> None:
        content = bytes(range(256)) * 1000
        await store.put(key, content)
        assert await store.get(key) == content

    async def test_second_write_wins(self, store: ObjectStore, key: str) -> None:
        await store.put(key, b"first")
        await store.put(key, b"")
        assert await store.get(key) == b""

    async def test_deleted(self, store: ObjectStore, key: str) -> None:
        await store.put(key, b"x")
        assert await store.exists(key)
        await store.delete(key)
        assert not await store.exists(key)

    async def test_a_folder_is_deleted_and_nothing_beside_it(self, store: ObjectStore, unique: str) -> None:
        folder, beside = f"tests/{unique}/a", f"tests/{unique}/ab"
        keys = [f"{folder}/1", f"{folder}/b/2", f"{folder}/b/c/3"]
        for key in (*keys, beside):
            await store.put(key, b"x")
        assert sorted(await store.keys_under(folder)) == keys
        assert await store.delete_under(folder) == 3
        assert [await store.exists(key) for key in (*keys, beside)] == [False, False, False, True]
        assert await store.delete_under(folder) == 0
        await store.delete(beside)

    async def test_url_for_those_without_credentials(self, store: ObjectStore, key: str) -> None:
        await store.put(key, b"{}", "application/json")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(await store.presigned_get(key))).content == b"{}"

    async def test_bucket_exists_already(self, store: ObjectStore) -> None:
        await store.ensure_bucket()
        await store.ping()


class TestMissing:
    async def test_get(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(NotFound):
            await store.get(key)

    async def test_exists(self, store: ObjectStore, key: str) -> None:
        assert not await store.exists(key)

    async def test_delete(self, store: ObjectStore, key: str) -> None:
        await store.delete(key)

    async def test_key_that_leaves_the_bucket(self, store: ObjectStore) -> None:
        with pytest.raises(Unprocessable):
            await store.get("../other/secret")


class TestBroken:
    async def test_no_server(self, settings: PlatformSettings, unused_tcp_port: int) -> None:
        store = ObjectStore(settings.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{unused_tcp_port}"}))
        for call in (store.get("a"), store.exists("a"), store.put("a", b""), store.delete("a"), store.ping()):
            with pytest.raises(DependencyUnavailable) as caught:
                await call
            assert caught.value.dependency == "s3"

    async def test_refused_credentials_are_no_missing_object(self, settings: PlatformSettings) -> None:
        store = ObjectStore(settings.model_copy(update={"s3_access_key": "nobody"}))
        with pytest.raises(DependencyUnavailable):
            await store.get("a")
        with pytest.raises(DependencyUnavailable):
            await store.exists("a")
        store.close()


class TestParts:
    async def test_a_part_of_an_object_is_read(self, store: ObjectStore, key: str) -> None:
        await store.put(key, b"0123456789")

        assert await store.size(key) == 10
        assert await store.get_range(key, 2, 3) == b"234"
        assert await store.get_range(key, 8, 100) == b"89"

    async def test_objects_are_joined_in_their_order(self, store: ObjectStore, key: str) -> None:
        names = [f"{key}.{number}" for number in range(3)]
        contents = [b"a" * 9_000_000, b"", b"b" * 5]
        for name, content in zip(names, contents, strict=True):
            await store.put(name, content)

        await store.join(key, names, head=b"head")

        assert await store.get(key) == b"head" + b"".join(contents)
        for name in names:
            await store.delete(name)

    async def test_nothing_is_joined_to_an_empty_object(self, store: ObjectStore, key: str) -> None:
        await store.join(key, [])

        assert await store.get(key) == b""

    async def test_a_part_that_is_missing_is_not_found(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(NotFound):
            await store.join(key, [f"{key}.none"])
        with pytest.raises(NotFound):
            await store.size(key)
