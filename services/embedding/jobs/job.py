"""A job, and where its objects are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Output = Literal["ndjson", "npy"]
State = Literal["pending", "running", "done", "failed", "removed"]
"""Nobody sees a job that is removed; it is there until its objects are deleted."""
FOLDER = "embedding-jobs"
UPLOADS = "uploads"


@dataclass(frozen=True, slots=True)
class Job:
    """One row of `embedding_jobs`.

    Attributes:
        input_key: The object with the input, a text or an object with `text` a line.
        prompt: Put before each text; an empty one for what the model itself puts there.
        dimensions: Length that the caller wants; None for the model's own.
        model: What embeds it; None before the job has begun, as are `version`, `digest` and `dimension`.
        position: Bytes of the input whose answers are stored.
        skipping: `position` is inside a line that is too long.
        parts: Objects of answers so far.
        most_parts: The highest that `parts` has been, before the job started over.
        lines: Lines of the input so far.
        texts: Those that are not blank; each has an answer.
        failed: Answers that are errors.
        claims: How often it was taken; the number of the last one is its holder's.
        stalls: How often it was taken since something was last stored.
    """

    tenant_id: str
    id: UUID
    state: State
    input_key: str
    output: Output
    prompt: str
    dimensions: int | None
    model: str | None
    version: str | None
    digest: str | None
    dimension: int | None
    position: int
    skipping: bool
    parts: int
    most_parts: int
    lines: int
    texts: int
    failed: int
    claims: int
    stalls: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def folder(self) -> str:
        """Prefix of the job's own objects."""
        return folder_of(self.tenant_id, self.id)

    @property
    def result_key(self) -> str:
        """The object with the answers."""
        return f"{self.folder}/result.{self.output}"

    @property
    def errors_key(self) -> str:
        """The object with the errors, where the answers themselves have no room for them."""
        return f"{self.folder}/errors.ndjson"

    def part_keys(self, count: int) -> list[str]:
        """Return the objects of the first parts of the answers."""
        return [f"{self.folder}/part-{number:06d}" for number in range(count)]

    def error_keys(self, count: int) -> list[str]:
        """Return the objects of the errors in the first parts."""
        return [f"{self.folder}/errors-{number:06d}" for number in range(count)]

    def all_part_keys(self) -> list[str]:
        """Return the objects of all parts that were ever stored, and of the one that may be stored just now."""
        count = max(self.most_parts, self.parts) + 1
        return self.part_keys(count) + (self.error_keys(count) if self.output == "npy" else [])

    def own_keys(self) -> list[str]:
        """Return every object that may have been stored for the job."""
        return [f"{self.folder}/input.ndjson", self.result_key, self.errors_key, *self.all_part_keys()]


def folder_of(tenant: str, job: UUID) -> str:
    """Return the prefix of a job's objects."""
    return f"{FOLDER}/{tenant}/{job}"


def uploads_of(tenant: str) -> str:
    """Return the prefix that a tenant's own objects must have to be read for it."""
    return f"{UPLOADS}/{tenant}/"
