"""What one audit event says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

TEXT_CHARACTERS = 1024
DETAIL_ITEMS = 200
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


class Actor(Protocol):
    """Who did it, as far as the audit needs to know; a principal is one."""

    @property
    def subject(self) -> str:
        """Its name."""

    @property
    def tenant(self) -> str:
        """The tenant that it acts for."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event before it is chained; Postgres adds its id, time and hashes.

    Attributes:
        actor: who did it; `anonymous` for a caller that proved nothing.
        tenant: whose data it touched; None when unknown or all.
        action: what was done, such as `model.promoted`.
        resource: what it was done to.
        outcome: how it ended, such as `done` or `denied`.
        detail: the rest, as JSON.
    """

    actor: str
    tenant: str | None
    action: str
    resource: str
    outcome: str
    detail: Mapping[str, object] = field(default_factory=dict)
    request_id: str | None = None
    trace_id: str | None = None


def storable(value: object) -> Json:
    """The value as JSON that Postgres can store: bounded, and without the characters that it refuses."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {storable_text(str(key)): storable(item) for key, item in list(value.items())[:DETAIL_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        return [storable(item) for item in list(value)[:DETAIL_ITEMS]]
    return storable_text(str(value))


def storable_text(text: str) -> str:
    """The text without NUL and lone surrogates, cut to its first characters."""
    return text[:TEXT_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
