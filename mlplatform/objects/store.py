"""Objects in S3: gate reports and whatever else is no row."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from io import BytesIO
from typing import BinaryIO, TypeVar, cast
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error

from mlplatform.errors import DependencyUnavailable, NotFound
from mlplatform.objects.joined import Joined
from mlplatform.objects.keys import check_key
from mlplatform.settings import PlatformSettings

PRESIGNED_FOR = timedelta(minutes=10)
CONNECTIONS = 10
JOINED_PART = 8 * 1024 * 1024
"""Bytes sent at once of an object whose size is not known before."""
MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NotFound"})
TAKEN = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})

Result = TypeVar("Result")


class ObjectStore:
    """One bucket of an S3 server. The client is synchronous, so each call runs in a thread.

    Args:
        settings: Where the server is, and its credentials.

    Every method raises `DependencyUnavailable` when the server does not answer or refuses.
    """

    def __init__(self, settings: PlatformSettings) -> None:
        address = urlsplit(settings.s3_endpoint)
        self._bucket = settings.s3_bucket
        self._pool = urllib3.PoolManager(
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(total=settings.dependency_timeout.total_seconds()),
            retries=urllib3.Retry(total=1, backoff_factor=0.1, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = Minio(
            address.netloc,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=address.scheme == "https",
            region=settings.s3_region,
            http_client=self._pool,
        )

    async def ensure_bucket(self) -> None:
        """Create the bucket unless it exists."""
        await self._run(self._make_bucket)

    async def put(self, key: str, content: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object, over any that has the key.

        Raises:
            Unprocessable: The key is not safe.
        """
        check_key(key)
        await self._run(
            lambda: self._client.put_object(self._bucket, key, BytesIO(content), len(content), content_type)
        )

    async def put_file(
        self, key: str, file: BinaryIO, size: int, content_type: str = "application/octet-stream"
    ) -> None:
        """Write an object from a file, from where it stands on, over any that has the key; holds only a part of it.

        Args:
            key: The object.
            file: Read in a thread.
            size: Bytes to read.
            content_type: Of the object.

        Raises:
            Unprocessable: The key is not safe.
        """
        check_key(key)
        await self._run(lambda: self._client.put_object(self._bucket, key, file, size, content_type))

    async def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            NotFound: Nothing has the key.
            Unprocessable: The key is not safe.
        """
        check_key(key)
        return await self._run(lambda: self._read(key))

    async def get_range(self, key: str, start: int, length: int) -> bytes:
        """Read a part of an object.

        Args:
            key: The object.
            start: Its first byte.
            length: Bytes to read, 1 or more; fewer come back at the end of the object.

        Raises:
            NotFound: Nothing has the key.
            Unprocessable: The key is not safe.
        """
        check_key(key)
        return await self._run(lambda: self._read(key, start, length))

    async def size(self, key: str) -> int:
        """Return the bytes of an object.

        Raises:
            NotFound: Nothing has the key.
            Unprocessable: The key is not safe.
        """
        check_key(key)
        found = await self._run(lambda: self._client.stat_object(self._bucket, key))
        return int(found.size or 0)

    async def join(
        self, key: str, parts: Sequence[str], *, head: bytes = b"", content_type: str = "application/octet-stream"
    ) -> None:
        """Write an object of others, one after the other; only one of them is in memory at a time.

        Args:
            key: The object to write, over any that has the key.
            parts: The objects.
            head: What comes before them.
            content_type: Of the object.

        Raises:
            NotFound: A part is missing.
            Unprocessable: A key is not safe.
        """
        for name in (key, *parts):
            check_key(name)
        content = cast("BinaryIO", Joined(head, parts, self._read))  # the client calls `read` and nothing else
        await self._run(
            lambda: self._client.put_object(self._bucket, key, content, -1, content_type, part_size=JOINED_PART)
        )

    async def exists(self, key: str) -> bool:
        """Whether an object has the key.

        Raises:
            Unprocessable: The key is not safe.
        """
        check_key(key)
        try:
            await self._run(lambda: self._client.stat_object(self._bucket, key))
        except NotFound:
            return False
        return True

    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none.

        Raises:
            Unprocessable: The key is not safe.
        """
        check_key(key)
        await self._run(lambda: self._client.remove_object(self._bucket, key))

    async def delete_under(self, folder: str) -> int:
        """Remove all objects whose keys begin with a folder, and return how many there were.

        Args:
            folder: Without a slash at its end.

        Raises:
            Unprocessable: The folder is no safe key.
        """
        check_key(folder)
        return await self._run(lambda: self._remove_under(f"{folder}/"))

    async def keys_under(self, folder: str) -> list[str]:
        """Return the keys of all objects whose keys begin with a folder.

        Args:
            folder: Without a slash at its end.

        Raises:
            Unprocessable: The folder is no safe key.
        """
        check_key(folder)
        return await self._run(lambda: self._list_under(f"{folder}/"))

    async def presigned_get(self, key: str, expires: timedelta = PRESIGNED_FOR) -> str:
        """Return a URL that reads the object without credentials, for a while.

        Raises:
            Unprocessable: The key is not safe.
        """
        check_key(key)
        return await self._run(lambda: self._client.presigned_get_object(self._bucket, key, expires))

    async def ping(self) -> None:
        """Ask the server for the bucket.

        Raises:
            DependencyUnavailable: The server does not answer, or has no such bucket.
        """
        if not await self._run(lambda: self._client.bucket_exists(self._bucket)):
            raise DependencyUnavailable("s3", f"s3 has no bucket {self._bucket}; create it or set ML_S3_BUCKET.")

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _make_bucket(self) -> None:
        if self._client.bucket_exists(self._bucket):
            return
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code not in TAKEN:
                raise

    def _remove_under(self, prefix: str) -> int:
        keys = self._list_under(prefix)
        for key in keys:
            self._client.remove_object(self._bucket, key)
        return len(keys)

    def _list_under(self, prefix: str) -> list[str]:
        found = self._client.list_objects(self._bucket, prefix=prefix, recursive=True)
        return [str(one.object_name) for one in found]

    def _read(self, key: str, start: int = 0, length: int = 0) -> bytes:
        try:
            response = self._client.get_object(self._bucket, key, offset=start, length=length)
        except InvalidResponseError:
            # rclone sends its errors as text/xml, which the client does not read. HEAD has no body to be misread.
            self._client.stat_object(self._bucket, key)
            raise
        try:
            return response.read()
        finally:
            response.close()
            response.release_conn()

    async def _run(self, call: Callable[[], Result]) -> Result:
        try:
            return await asyncio.to_thread(call)
        except S3Error as error:
            if error.code in MISSING:
                raise NotFound("There is no such object.") from error
            raise DependencyUnavailable("s3", f"s3 refused: {error.code}.") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            raise DependencyUnavailable("s3") from error
