"""Headers of a request, looked up rather than searched."""

from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

Default = TypeVar("Default")


class Fields(Mapping[str, str]):
    """Header fields by name, in any case.

    Args:
        raw: Names in lower case, as ASGI has them.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: dict[bytes, bytes]) -> None:
        self.raw = raw

    def __getitem__(self, name: str) -> str:
        """Return a field."""
        return self.raw[name.lower().encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        """Walk over the names."""
        return (name.decode("latin-1") for name in self.raw)

    def __len__(self) -> int:
        """Count the names."""
        return len(self.raw)

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: Default) -> str | Default: ...
    def get(self, name: str, default: object = None) -> object:
        """Return a field, or the default; Mapping's own would raise and catch an error for each that is absent."""
        value = self.raw.get(name.lower().encode("latin-1"))
        return default if value is None else value.decode("latin-1")
