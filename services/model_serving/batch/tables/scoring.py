"""Blocks scored with a model: all rows at once where that is allowed, and so that none spoils another's answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlplatform.errors import PlatformError
from services.model_serving.batch.scoring.turn import Cut, evenly
from services.model_serving.batch.tables.answers import NotRowWiseError, columns_of
from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns
from services.model_serving.batch.tables.conversion import label
from services.model_serving.batch.tables.doubts import Doubts
from services.model_serving.batch.tables.fault import Fault
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.errors import InvalidInputs
from services.model_serving.signature import ModelInput

CALL_ROWS = 8192
"""Rows of a call, after which it is asked whether to go on."""
ITEM, CODE, ERROR = "item", "code", "error"

Places = npt.NDArray[np.int64]


@dataclass(slots=True)
class Outcome:
    """What came of rows.

    Attributes:
        answers: Columns of answers, with the places of their rows.
        faults: What was wrong with the others, by their place.
    """

    answers: list[tuple[Places, dict[str, pa.Array]]] = field(default_factory=list)
    faults: dict[int, Fault] = field(default_factory=dict)


def score_block(
    model: LoadedModel,
    block: Block,
    columns: Columns,
    params: dict[str, Any],
    check: Callable[[], None],
    *,
    cut: Cut = evenly,
    doubts: Doubts | None = None,
) -> pa.Table:
    """Score a block; blocks.

    Args:
        model: The version.
        block: Rows whose columns have the types of its signature.
        columns: Of the model.
        params: Parameters of the model, as the caller gave them.
        check: Called before each call of the model; raises to end the work.
        cut: Says what to score at a time.
        doubts: Collects the rows that are to be reviewed.

    Returns:
        For each row its place in the block, `item`, and the columns of the answer, or `code` and `error`. Only for
        those before the first one for which there was no time.
    """
    outcome = Outcome(faults={place: Fault(InvalidInputs.code, reason) for place, reason in block.faults.items()})
    try:
        values = model.signature.parameters.read(params)
    except PlatformError as error:
        return all_failed(block.rows, _fault(error))
    scorer = _Scorer(model, columns, values, check, outcome, doubts=doubts)
    together = CALL_ROWS if model.row_wise else 1
    places = block.where()
    done = 0
    for part in cut(len(places), together):
        done = part.stop
        scorer.score(block.table.slice(part.start, done - part.start), places[part])
        if doubts is not None and doubts.are_many:
            break
    results = assemble(block.rows, outcome)
    return results if done == len(places) else results.slice(0, int(places[done]))


def all_failed(rows: int, fault: Fault) -> pa.Table:
    """Return the results of rows that have the same thing wrong with them."""
    return assemble(rows, Outcome(faults=dict.fromkeys(range(rows), fault)))


def assemble(rows: int, outcome: Outcome) -> pa.Table:
    """Return the results of all rows in their order."""
    parts = [pa.table(columns) for _, columns in outcome.answers]
    where = np.concatenate([places for places, _ in outcome.answers]) if parts else np.empty(0, np.int64)
    answers = join_tables(parts)
    table = {ITEM: pa.array(np.arange(rows))}
    if len(where) == rows and bool((where[:-1] < where[1:]).all()):
        table |= dict(zip(answers.column_names, answers.columns, strict=True))
    else:
        indices = np.zeros(rows, np.int64)
        indices[where] = np.arange(len(where))
        failed = np.ones(rows, np.bool_)
        failed[where] = False
        taken = pa.array(indices, mask=failed)
        table |= {name: answers.column(name).take(taken) for name in answers.column_names}
    table[CODE] = _texts(rows, {place: fault.code for place, fault in outcome.faults.items()})
    table[ERROR] = _texts(rows, {place: fault.reason for place, fault in outcome.faults.items()})
    return pa.table(table)


def join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables one after the other; columns that are of several kinds become text."""
    if not tables:
        return pa.table({})
    schema = join_schemas([table.schema for table in tables])
    return pa.concat_tables([fit(table, schema) for table in tables])


def join_schemas(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return a schema that tables of several can be brought to."""
    distinct = list(dict.fromkeys(schemas))
    try:
        return pa.unify_schemas(distinct, promote_options="permissive")
    except pa.ArrowTypeError:
        kinds: dict[str, set[pa.DataType]] = {}
        for one in distinct:
            for entry in one:
                kinds.setdefault(entry.name, set()).add(entry.type)
        return pa.schema([(name, found.pop() if len(found) == 1 else pa.string()) for name, found in kinds.items()])


def fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Bring a table to a schema that has all of its columns."""
    columns = [
        table.column(entry.name).cast(entry.type, safe=False)
        if entry.name in table.column_names
        else pa.nulls(table.num_rows, entry.type)
        for entry in schema
    ]
    return pa.table(columns, schema=schema)


def input_of(table: pa.Table, columns: Columns) -> ModelInput:
    """Return what a model is called with, in the form that it has for the same rows sent as JSON."""
    names = [name for name in columns.kinds if label(name) in table.column_names]
    rows = table.num_rows
    if columns.are_doubles and len(names) == len(columns.kinds):
        matrix = np.empty((len(names), rows))
        for place, name in enumerate(names):
            matrix[place] = table.column(label(name)).to_numpy()
        return ModelInput.of_matrix(matrix.T, columns.index(names))
    plain = {name: _plain(table.column(label(name))) for name in names}
    return ModelInput(pd.DataFrame(plain, index=pd.RangeIndex(rows)), rows)


def _plain(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 (an array, or a list of text)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return column.to_pylist()
    return column.to_numpy()


class _Scorer:
    def __init__(
        self,
        model: LoadedModel,
        columns: Columns,
        params: Params,
        check: Callable[[], None],
        outcome: Outcome,
        *,
        doubts: Doubts | None,
    ) -> None:
        self._model = model
        self._columns = columns
        self._params = params
        self._check = check
        self._outcome = outcome
        self._doubts = doubts

    def score(self, table: pa.Table, places: Places) -> None:
        """Score together; where that fails those with missing values apart, then halves, down to those to blame."""
        if not len(places):
            return
        blamed = self._call(table, places)
        if blamed is None:
            return
        if len(places) == 1:
            self._outcome.faults[int(places[0])] = _fault(blamed)
            return
        complete = _complete(table)
        if complete.any() and not complete.all():
            for mask in (complete, ~complete):
                self._halves(table.filter(pa.array(mask)), places[mask], whole=True)
        else:
            self._halves(table, places, whole=False)

    def _halves(self, table: pa.Table, places: Places, *, whole: bool) -> None:
        """Score rows that are all alike in having missing values or none.

        Args:
            table: The rows.
            places: Of each.
            whole: Whether they have not been tried together yet.
        """
        self._check()
        blamed = self._call(table, places) if whole else None
        if whole and blamed is None:
            return
        if blamed is not None and len(places) == 1:
            self._outcome.faults[int(places[0])] = _fault(blamed)
            return
        middle = len(places) // 2
        self._halves(table[:middle], places[:middle], whole=True)
        self._halves(table[middle:], places[middle:], whole=True)

    def _call(self, table: pa.Table, places: Places) -> PlatformError | None:
        """Score, and return what went wrong."""
        self._check()
        try:
            given = input_of(table, self._columns)
            self._model.check_rows(given)
            answered = self._model.call(given, self._params)
            answer = columns_of(answered, len(places))
            if self._doubts is not None:
                self._doubts.note(table, places, answered)
        except PlatformError as error:
            return error
        except NotRowWiseError as error:
            return self._model.broke(error)
        except BaseException as error:  # noqa: BLE001 (a model's code may raise anything; it is its rows' answer)
            return self._model.broke(error)
        self._outcome.answers.append((places, answer))
        return None


def _complete(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Return which rows have no missing value."""
    complete = np.ones(table.num_rows, np.bool_)
    for column in table.columns:
        if column.null_count or pa.types.is_floating(column.type):
            complete &= ~pc.is_null(column, nan_is_null=True).to_numpy()
    return complete


def _texts(rows: int, found: Mapping[int, str]) -> pa.Array:
    """Return a column that has something in few rows, mostly in none."""
    return pa.array([found.get(row) for row in range(rows)], pa.string()) if found else pa.nulls(rows, pa.string())


def _fault(error: PlatformError) -> Fault:
    reason = "; ".join(f"{wrong.field}: {wrong.message}" for wrong in error.errors)
    return Fault(error.code, reason or error.detail)
