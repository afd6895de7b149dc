"""What a process that scores does when a job has ended whose results are wanted as files."""

from collections.abc import Callable
from uuid import uuid4

from services.model_serving.batch.exports.files import RESULTS
from services.model_serving.batch.exports.rows import Rows, export_rows
from services.model_serving.batch.jobs.places import results_folder
from services.model_serving.batch.scoring.assignment import Assignment, Finished, Report
from services.model_serving.batch.scoring.bench import Bench
from services.model_serving.batch.tables.export import Ledger, export, open_ledger
from services.model_serving.batch.tables.results import Format
from services.model_serving.batch.tables.storage import Storage, open_storage

Export = Callable[[Storage, Ledger, str, Format], object]


def finish_table(assignment: Assignment, bench: Bench) -> Report:
    """Write the results of a table, which are objects, as one file in each form that was asked for."""
    return _finish(assignment, bench, export)


def finish_rows(assignment: Assignment, bench: Bench) -> Report:
    """Write results that are rows of the database as one file in each form that was asked for."""
    named = bool((assignment.source or {}).get("named"))

    def write(storage: Storage, ledger: Ledger, key: str, form: Format) -> None:
        export_rows(storage, Rows(ledger, bench.check, named=named), key, form)

    return _finish(assignment, bench, write)


def _finish(assignment: Assignment, bench: Bench, write: Export) -> Report:
    keys: dict[str, str] = {}
    with (
        open_storage(bench.settings) as storage,
        open_ledger(bench.settings, storage.runner, assignment.tenant, assignment.job) as ledger,
    ):
        for form in (assignment.source or {})["forms"]:
            bench.check()
            keys[form] = f"{results_folder(assignment.tenant, assignment.job)}/{uuid4()}.{form}"
            write(storage, ledger, keys[form], form)
    return Finished({RESULTS: keys})
