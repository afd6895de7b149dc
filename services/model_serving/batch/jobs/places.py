"""Where in the object store the results of a job are."""

from uuid import UUID


def results_folder(tenant: str, job: UUID | str) -> str:
    """Return the folder of all objects that are written for a job, and of nothing else."""
    return f"batch/results/{tenant}/{job}"
