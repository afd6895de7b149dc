"""Makes the report of a job, in a process that scores."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from mlplatform.registry.registry import Registry
from services.model_serving.batch.report import repository
from services.model_serving.batch.report.answers import Answers
from services.model_serving.batch.report.content import open_content
from services.model_serving.batch.report.drift import compared_part, drift_of
from services.model_serving.batch.report.source import TYPE
from services.model_serving.batch.report.times import times
from services.model_serving.batch.scoring.assignment import Assignment, Finished, Unreadable
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.monitoring.references import References

FORMAT = 1
MOST_ANSWERS = 100_000
"""Answers that are counted."""
MOST_ROWS = 20_000
"""Rows that are compared with training."""


def report(assignment: Assignment, bench: Bench) -> Finished | Unreadable:
    """Read what a job came to and write its report."""
    settings = bench.settings
    answers, compared = Answers(), list[Any]()
    reference = _references(str(settings.mlflow_url), settings.cache_folder).of(
        assignment.model.name, assignment.model.version
    )
    bench.check()
    with repository.reading(settings.database_url.get_secret_value(), assignment.tenant) as connection:
        job = repository.job(connection, assignment.job)
        if job is None:
            return Unreadable("The job is gone.")
        errors = repository.errors(connection, assignment.job)
        chunks = repository.chunks(connection, assignment.job)
        with open_content(job["kind"], connection, assignment, bench) as content:
            for number, output in enumerate(content.outputs(MOST_ANSWERS)):
                if number % repository.PAGE == 0:
                    bench.check()
                answers.add(output)
                if number < MOST_ROWS and reference.profile is not None:
                    compared.append(compared_part(reference, output))
            items = content.items(MOST_ROWS) if compared else []
    bench.check()
    counts = {name: job[name] for name in ("items", "succeeded", "failed", "cancelled", "retries")}
    written = {
        "format": FORMAT,
        "counts": counts,
        "errors": errors,
        "times": times(job, chunks),
        "answers": answers.summary(),
        "drift": drift_of(reference, items, compared, assignment.params, rows=min(answers.count, MOST_ROWS)),
    }
    return Finished({TYPE: written})


@lru_cache(maxsize=1)
def _references(mlflow_url: str, cache: Path) -> References:
    return References(Registry(mlflow_url), cache)
