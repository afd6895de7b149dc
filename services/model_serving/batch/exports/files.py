"""Files that were written for ends of a job before its last one, which nobody can find any more."""

from collections.abc import Sequence
from typing import Any

import structlog

from mlplatform.errors import PlatformError
from mlplatform.objects import ObjectStore
from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.jobs.places import results_folder

RESULTS = "results"
"""Under which name the files are among what followed the end of a job, by their form."""

log = structlog.get_logger(__name__)


class EarlierFiles:
    """Finds and deletes them. Without it they are deleted with the job, so that no failure of it matters.

    Args:
        objects: Where they are.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def find(self, job: Job, summary: dict[str, Any] | None) -> list[str]:
        """Return the keys of other files in the forms of new ones, which are not committed yet.

        Later there may be newer ones among them.

        Args:
            job: Whose they are.
            summary: What names the new ones.
        """
        files: dict[str, str] = (summary or {}).get(RESULTS, {})
        if not files:
            return []
        endings = tuple(f".{form}" for form in files)
        try:
            keys = await self._objects.keys_under(results_folder(job.tenant_id, job.id))
        except PlatformError as error:
            _note(job, error)
            return []
        return [key for key in keys if key.endswith(endings) and key not in files.values()]

    async def delete(self, job: Job, keys: Sequence[str]) -> None:
        """Delete files of a job, when the new ones are committed."""
        try:
            for key in keys:
                await self._objects.delete(key)
        except PlatformError as error:
            _note(job, error)


def _note(job: Job, error: PlatformError) -> None:
    log.warning("batch.files_left", job=str(job.id), reason=error.detail)
