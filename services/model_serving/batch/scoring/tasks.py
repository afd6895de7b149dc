"""What a process that scores does with a chunk, by its kind and by what its source is.

A task is named by `kind` for chunks that hold their input, else by `kind:type`, where `type` is that of the source.
"""

from collections.abc import Mapping

import orjson

from services.model_serving.batch.exports.tasks import finish_rows, finish_table
from services.model_serving.batch.report.report import report
from services.model_serving.batch.scoring.assignment import Assignment, Report, Unavailable, Unreadable
from services.model_serving.batch.scoring.bench import Bench, Task
from services.model_serving.batch.scoring.rows import score_items, scored
from services.model_serving.batch.tables.tasks import score_table, split_table
from services.model_serving.batch.uploads.scoring import score_files


def score(assignment: Assignment, bench: Bench) -> Report:
    """Score items that came with the chunk."""
    items = orjson.loads(assignment.payload)
    outcomes = score_items(bench.model(), items, assignment.params, bench.check, cut=bench.turn())
    return scored(assignment.items, outcomes)


def refuse(assignment: Assignment, _: Bench) -> Report:
    """Give up what this worker knows nothing of, which it says so that nobody waits for it.

    What follows the end of a job is left to a worker that knows it, since the results are there for it to come.
    """
    reason = f"This worker cannot {assignment.kind} such an input; its version is another one than the API's."
    return Unavailable(reason) if assignment.kind == "finish" else Unreadable(reason)


KINDS: Mapping[str, Task] = {
    "score": score,
    "score:files": score_files,
    "split:table": split_table,
    "score:table": score_table,
    "finish:table": finish_table,
    "finish:rows": finish_rows,
    "finish:report": report,
}


def find_task(assignment: Assignment) -> Task:
    """Return what to do with a chunk."""
    return KINDS.get(task_name(assignment), refuse)


def task_name(assignment: Assignment) -> str:
    """Return what it is called."""
    return assignment.kind if assignment.source is None else f"{assignment.kind}:{assignment.source.get('type')}"
