"""Puts results into the queue, in the transaction that stores them."""

from collections.abc import Sequence

import orjson

from services.model_serving.batch.jobs.job import Job
from services.model_serving.batch.review import repository
from services.model_serving.batch.review.judgement import judge
from services.model_serving.batch.scoring.assignment import ItemResult, UnsureRow
from services.model_serving.batch.work.chunk import Claim


async def add_unsure(
    connection: repository.Connection, claimed: Claim, job: Job, results: Sequence[ItemResult]
) -> None:
    """Queue those results of a locked chunk that are less sure than the job asks for."""
    if job.review_below is None:
        return
    unsure = []
    for one in results:
        judged = None if one.output is None else judge(orjson.loads(one.output))
        if judged is not None and judged.confidence < job.review_below:
            unsure.append((one.item, one.output, judged.confidence))
    if unsure:
        await repository.add(connection, claimed, job, unsure)


async def add_unsure_rows(
    connection: repository.Connection, job: Job, rows: Sequence[UnsureRow], most: int | None
) -> None:
    """Queue those rows of a table that were found to be less sure than the job asks for.

    Args:
        connection: A transaction that has the job locked.
        job: The job.
        rows: Of the table.
        most: Reviews of the job, further rows have none; None for any number.
    """
    if rows and most is not None:
        rows = rows[: max(0, most - await repository.count(connection, job))]
    if rows:
        await repository.add_rows(connection, job, rows)
