"""Quotas of tenants."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlplatform.errors import RateLimited
from services.model_serving.batch.quota import repository
from services.model_serving.batch.settings import BatchSettings

ITEMS, BYTES = "items", "bytes"
REVIEWED = " files whose results are to be reviewed make room when these are decided;"


class QuotaExceeded(RateLimited):
    """The tenant has as much stored as it may have."""

    code = "quota_exceeded"


@dataclass(frozen=True, slots=True)
class Quota:
    """What a tenant may have at a time.

    Attributes:
        files: Uploaded files.
        size: Bytes of them.
        items: Items of jobs.
    """

    files: int
    size: int
    items: int

    @classmethod
    def of(cls, settings: BatchSettings) -> "Quota":
        """Return what the settings say."""
        return cls(settings.batch_quota_files, settings.batch_quota_bytes, settings.batch_quota_items)

    async def check(self, connection: repository.Connection) -> None:
        """Refuse when there is more than there may be.

        To be called when what is new has been written, in its transaction: what others of the tenant write meanwhile
        waits until that has ended, and is counted with it.

        Raises:
            QuotaExceeded: There is more.
        """
        allowed = {"files": self.files, BYTES: self.size, ITEMS: self.items}
        await self._check(connection, allowed)

    async def check_items(self, connection: repository.Connection) -> None:
        """Do so with the items alone, for work that brings no files.

        Raises:
            QuotaExceeded: There are more than there may be.
        """
        await self._check(connection, {ITEMS: self.items})

    async def _check(self, connection: repository.Connection, allowed: Mapping[str, int]) -> None:
        await repository.lock(connection)
        found = await repository.used(connection)
        for name, most in allowed.items():
            if found[name] > most:
                raise exceeded(name, found[name], most)


def exceeded(name: str, number: int, most: int, *, headers: Mapping[str, str] | None = None) -> QuotaExceeded:
    """Return the refusal of what would be too much.

    Args:
        name: Of what.
        number: How many it would be.
        most: How many may be.
        headers: Of the answer.
    """
    reviewed = "" if name == ITEMS else REVIEWED
    under_way = " and uploads under way" if name == BYTES else ""
    return QuotaExceeded(
        f"Your jobs{under_way} would keep {number} {name}; {most} are allowed at a time. Jobs are deleted some "
        f"time after their end, and then there is room again;{reviewed} an operator allows more by "
        f"ML_BATCH_QUOTA_{name.upper()}.",
        headers=headers,
    )
