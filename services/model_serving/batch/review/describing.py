"""Reviews as callers see them."""

from typing import Any

from psycopg.rows import DictRow

from services.model_serving.batch.jobs.repository import read_output


def describe_review(row: DictRow) -> dict[str, Any]:
    """Return a review."""
    read = {name: read_output(row[name]) for name in ("input", "output", "label")}
    kept = {name: value for name, value in row.items() if name not in {"number", "job_id"}}
    return {**kept, "job": row["job_id"], **read}
