"""A bucket of the benchmark's own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from minio import Minio


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket.

    Attributes:
        client: Of the store.
        name: Of the bucket.
    """

    client: Minio
    name: str

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> "Bucket":
        """Return the bucket that settings name."""
        endpoint = urlsplit(settings["ML_S3_ENDPOINT"])
        client = Minio(
            endpoint.netloc,
            access_key=settings["ML_S3_ACCESS_KEY"],
            secret_key=settings["ML_S3_SECRET_KEY"],
            secure=endpoint.scheme == "https",
            region=settings["ML_S3_REGION"],
        )
        return cls(client, settings["ML_S3_BUCKET"])

    def put(self, key: str, path: Path) -> None:
        """Write an object of a file."""
        self.client.fput_object(self.name, key, str(path))

    def fetch(self, key: str, path: Path) -> None:
        """Write a file of an object."""
        self.client.fget_object(self.name, key, str(path))

    def readable(self, key: str) -> str:
        """Return where anybody can read an object."""
        return self.client.presigned_get_object(self.name, key)

    def writable(self, key: str) -> str:
        """Return where anybody can write an object."""
        return self.client.presigned_put_object(self.name, key)


@contextmanager
def bucket(settings: Mapping[str, str]) -> Iterator[None]:
    """Make the bucket that settings name, for the time of the block."""
    found = Bucket.of(settings)
    found.client.make_bucket(found.name)
    try:
        yield
    finally:
        for one in found.client.list_objects(found.name, recursive=True):
            found.client.remove_object(found.name, str(one.object_name))
        found.client.remove_bucket(found.name)
