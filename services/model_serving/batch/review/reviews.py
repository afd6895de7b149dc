"""Reviews as those see them who decide."""

import math
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import orjson
from psycopg.rows import DictRow
from psycopg.types.json import Json

from mlplatform.audit import AuditLog
from mlplatform.auth import Principal
from mlplatform.database import Database
from mlplatform.database.pages import cut_page, read_cursor
from mlplatform.errors import NotFound
from mlplatform.objects import ObjectStore
from services.model_serving.batch.jobs.repository import read_output
from services.model_serving.batch.review import repository
from services.model_serving.batch.review.errors import AlreadyDecided
from services.model_serving.batch.review.judgement import judge
from services.model_serving.batch.review.repository import Choice
from services.model_serving.batch.uploads import repository as uploads
from services.model_serving.batch.uploads.removal import upload_of

Decision = Literal["approved", "corrected", "rejected"]
MOST_AT_ONCE = 10_000
"""Reviews that one call decides."""
EXPORT_PAGE = 500
NO_FILE = "The review is about no file, or the file is not stored any more."
Address = Callable[[UUID], str]
"""Returns the path from which the file of a review can be fetched."""
Z = 1.959964
"""The 97.5th percentile of the normal distribution."""


class Reviews:
    """Lists, decides and exports reviews.

    Args:
        database: Where they are.
        audit: Who decided what.
        objects: Where the files are that they are about.
    """

    def __init__(self, database: Database, audit: AuditLog, objects: ObjectStore) -> None:
        self._database = database
        self._audit = audit
        self._objects = objects

    async def page(
        self, tenant: str, choice: Choice, *, limit: int, cursor: str | None
    ) -> tuple[list[DictRow], str | None]:
        """Return reviews of a tenant, newest first, and the cursor of the next page.

        Raises:
            InvalidCursor: The cursor is not one of ours.
        """
        before = read_cursor(cursor)
        async with self._database.transaction(tenant) as connection:
            rows = await repository.page(connection, choice, before=before, limit=limit + 1)
        return cut_page(rows, limit, "number")

    async def find(self, tenant: str, review: UUID) -> DictRow:
        """Return a review of a tenant.

        Raises:
            NotFound: There is none.
        """
        async with self._database.transaction(tenant) as connection:
            return _found(await repository.find(connection, review))

    async def file(self, tenant: str, review: UUID) -> str:
        """Return where the file that a review is about can be read for a while; of one in an archive, the archive.

        The input of a review may be anything that a caller sent. So a key in it counts only when it is of an upload of
        the very job.

        Raises:
            NotFound: There is no such review, it is about no file, or the file is not stored any more.
        """
        async with self._database.transaction(tenant) as connection:
            row = _found(await repository.find(connection, review))
            key = _key(read_output(row["input"]))
            upload = upload_of(key)
            if upload is None or not await uploads.belongs(connection, upload, row["job_id"]):
                raise NotFound(NO_FILE)
        if not await self._objects.exists(key):
            raise NotFound(NO_FILE)
        return await self._objects.presigned_get(key)

    async def decide(
        self, principal: Principal, review: UUID, decision: Decision, *, label: object = None, note: str | None = None
    ) -> DictRow:
        """Decide a review; the same decision again changes nothing.

        Raises:
            NotFound: There is none.
            AlreadyDecided: Another decision was made before.
        """
        corrected = decision == "corrected"
        async with self._database.transaction(principal.tenant) as connection:
            row = await repository.decide(
                connection,
                review,
                state=decision,
                label=Json(label) if corrected else None,
                note=note,
                reviewer=principal.subject,
            )
            if row is None:
                before = _found(await repository.find(connection, review))
                if before["state"] != decision or (corrected and read_output(before["label"]) != label):
                    raise AlreadyDecided(before["state"])
                return before
            detail = {"model": row["model"], "version": row["version"], "job": str(row["job_id"]), "item": row["item"]}
            await self._audit.record(
                action=f"review.{decision}",
                resource=f"review {review}",
                principal=principal,
                detail=detail,
                connection=connection,
            )
        return row

    async def decide_all(self, principal: Principal, choice: Choice, decision: Decision) -> int:
        """Decide the pending reviews that are meant, up to `MOST_AT_ONCE`, and return how many that were."""
        async with self._database.transaction(principal.tenant) as connection:
            count = await repository.decide_all(
                connection, choice, state=decision, reviewer=principal.subject, most=MOST_AT_ONCE
            )
            chosen = {name: str(value) for name, value in choice.values().items() if value is not None}
            await self._audit.record(
                action=f"reviews.{decision}",
                resource=f"reviews of {choice.model}",
                principal=principal,
                detail={**chosen, "count": count},
                connection=connection,
            )
        return count

    async def accuracy(self, tenant: str, model: str, period: timedelta) -> list[dict[str, Any]]:
        """Return for each day and version which share of the decided answers was right."""
        async with self._database.transaction(tenant) as connection:
            rows = await repository.accuracy(connection, model, period=period)
        return [{**row, **interval(row["approved"], row["corrected"])} for row in rows]

    async def export(self, principal: Principal, choice: Choice, address: Address) -> AsyncIterator[bytes]:
        """Return the reviews whose answer is known as lines of JSON for training, each with where it comes from."""
        until = datetime.now(UTC)
        await self._audit.record(
            action="reviews.exported",
            resource=f"reviews of {choice.model}",
            principal=principal,
            detail={"version": choice.version, "until": until.isoformat()},
        )
        return self._lines(principal.tenant, choice, until, address)

    async def _lines(self, tenant: str, choice: Choice, until: datetime, address: Address) -> AsyncIterator[bytes]:
        after = -1
        while True:
            async with self._database.transaction(tenant) as connection:
                rows = await repository.examples(connection, choice, until=until, after=after, limit=EXPORT_PAGE)
                stored = await uploads.of_jobs(connection, {row["job_id"] for row in rows})
            if not rows:
                return
            for row in rows:
                item = read_output(row["input"])
                is_stored = (upload_of(_key(item)), row["job_id"]) in stored
                file = _file(item, address(row["id"])) if is_stored else None
                one = {"input": item, "file": file, **example(row)}
                yield orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
            after = rows[-1]["number"]


def example(row: DictRow) -> dict[str, Any]:
    """Return what is learned from a review, and where that comes from."""
    output = read_output(row["output"])
    judged = judge(output)
    right = read_output(row["label"]) if row["state"] == "corrected" else judged and judged.label
    return {
        "label": right,
        "lineage": {
            "review": row["id"],
            "decision": row["state"],
            "reviewer": row["reviewer"],
            "decided_at": row["decided_at"],
            "job": row["job_id"],
            "item": row["item"],
            "model": row["model"],
            "version": row["version"],
            "digest": row["digest"],
            "output": output,
            "confidence": row["confidence"],
        },
    }


def interval(right: int, wrong: int) -> dict[str, float | None]:
    """Return a share and its 95 % interval (Wilson, 1927, doi:10.2307/2276774); None of each without any case."""
    count = right + wrong
    if count == 0:
        return {"accuracy": None, "low": None, "high": None}
    share = right / count
    middle = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2)) / (1 + Z**2 / count)
    return {"accuracy": share, "low": max(0.0, middle - half), "high": min(1.0, middle + half)}


def _key(item: Any) -> str:  # noqa: ANN401 (any JSON)
    """Return what an item says is the key of its file; nothing when it says none."""
    return str(item.get("key")) if isinstance(item, dict) else ""


def _file(item: dict[str, Any], path: str) -> dict[str, Any]:
    """Return where to fetch a file, and which one it is in an archive, in whose directory a name may be twice."""
    place = item.get("place")
    return {"path": path, "member": None if place is None else item["name"], "place": place}


def _found(row: DictRow | None) -> DictRow:
    if row is None:
        raise NotFound("There is no such review.")
    return row
