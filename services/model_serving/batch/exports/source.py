"""What the chunk says that is to write the results of a job as files."""

from collections.abc import Sequence
from typing import Any

from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.tables import source as tables
from services.model_serving.batch.tables.results import Format
from services.model_serving.batch.uploads import received as files

TYPE = "rows"
"""Of jobs whose results are rows of the database."""


def source_of(job: Job, forms: Sequence[Format]) -> dict[str, Any]:
    """Return the source of the chunk that writes files of a job."""
    if job.kind == tables.TYPE:
        return {"type": tables.TYPE, "forms": list(forms)}
    return {"type": TYPE, "forms": list(forms), "named": job.kind == files.SOURCE}
