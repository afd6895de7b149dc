"""One request that its caller may send again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from mlplatform.errors import Conflict, FieldError, Unprocessable
from mlplatform.idempotency import repository

HEADER = "Idempotency-Key"
RETENTION = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer that the first of several equal requests got.

    Attributes:
        status: its HTTP status.
        body: its JSON.
    """

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class RepeatableRequest:
    """A request with a key, whose answer is kept in the transaction that does its work; without a key nothing is.

    Attributes:
        route: what was asked for; a key counts for one route.
        key: the caller's name for the request; None when it gave none.
        sha256: digest of the request.
    """

    route: str
    key: str | None
    sha256: bytes

    async def replay(self, connection: AsyncConnection[DictRow]) -> StoredResponse | None:
        """Take the key for this transaction, and return the answer when the request was answered before.

        Args:
            connection: in a transaction of the caller's tenant, in which the work will be done.

        Raises:
            Conflict: when the same request is being worked on.
            Unprocessable: when the key was used for another request.
        """
        if self.key is None:
            return None
        if not await repository.try_lock(connection, self.route, self.key):
            raise Conflict(
                f"A request with this {HEADER} is being worked on; send it again to get its answer.",
                headers={"Retry-After": "1"},
            )
        row = await repository.find(connection, self.route, self.key, RETENTION)
        if row is None:
            return None
        if row["request_sha256"] != self.sha256:
            raise Unprocessable(
                f"This {HEADER} was used for a different request; give each request a key of its own.",
                errors=[FieldError(f"header.{HEADER}", "was used for a different request")],
            )
        return StoredResponse(row["status"], row["response"])

    async def is_answered(self, connection: AsyncConnection[DictRow]) -> bool:
        """Whether a request with this key was answered before, be it the same one or another.

        Args:
            connection: in a transaction of the caller's tenant.
        """
        return self.key is not None and await repository.find(connection, self.route, self.key, RETENTION) is not None

    async def save(
        self,
        connection: AsyncConnection[DictRow],
        status: int,
        body: Any,  # noqa: ANN401 (any JSON)
    ) -> None:
        """Keep the answer, in the transaction that did the work.

        Args:
            connection: the one that `replay` was called with.
            status: HTTP status of the answer.
            body: what orjson can render, such as `model.model_dump(mode="json")`.
        """
        if self.key is not None:
            await repository.save(
                connection, self.route, self.key, request_sha256=self.sha256, status=status, response=body
            )
            await repository.prune(connection, RETENTION)
