"""The three JSON forms of a table (records, columns, rows), brought to one: named columns of equal length."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from services.model_serving.signature.findings import Findings, listing, refuse
from services.model_serving.signature.policy import STRICT, ReadPolicy

NAME_LENGTH = 64
FORMS = "must be a list of records, an object of columns, or a list of rows"
ROWS_ONLY = "must be a list of rows: this model's columns have no names"


@dataclass(frozen=True, slots=True)
class Table:
    """Columns in the order of the signature; an optional one that the caller left out is absent.

    Attributes:
        columns: name or position of a column → one value per row.
        rows: their length.
        form: how the caller wrote it, which decides how an error names a field.
    """

    columns: dict[str | int, Sequence[object]]
    rows: int
    form: Literal["records", "columns", "rows", "split"]

    def field(self, column: str | int, position: int, row: int) -> str:
        """Return the path of a value in the caller's body."""
        if self.form == "columns":
            return f"body.inputs.{column}.{row}"
        if self.form == "split":
            return f"body.inputs.data.{row}.{position}"
        return f"body.inputs.{row}.{column if self.form == 'records' else position}"


class TableReader:
    """Reads tables with given columns.

    Args:
        order: all columns in the order of the signature; positions (0, 1, …) when the signature has no names.
        optional: names that may be left out.
        max_rows: longer tables are refused.
    """

    def __init__(
        self, order: Sequence[str | int], *, optional: frozenset[str | int] = frozenset(), max_rows: int
    ) -> None:
        self._order = tuple(order)
        self._known = frozenset(order)
        self._optional = optional
        self._max_rows = max_rows
        self._named = not any(isinstance(name, int) for name in order)
        getter = itemgetter(*order) if order else tuple
        self._values = getter if len(self._order) != 1 else lambda row: (row[self._order[0]],)

    def plain_rows(self, inputs: object) -> Sequence[Sequence[object]] | None:
        """Return rows in the order of the signature when nothing about their form needs a closer look; else None."""
        if type(inputs) is not list or not 0 < len(inputs) <= self._max_rows:
            return None
        kinds = set(map(type, inputs))
        if kinds == {list}:
            return inputs
        if kinds == {dict} and self._named and all(row.keys() == self._known for row in inputs):
            return list(map(self._values, inputs))
        return None

    def read(self, inputs: object, policy: ReadPolicy = STRICT) -> Table:
        """Read one of the three forms.

        Raises:
            InvalidInputs: It is none of them, names or lengths do not fit, or there are too many rows.
        """
        if isinstance(inputs, dict):
            return self._read_columns(inputs, policy)
        if not isinstance(inputs, list):
            raise refuse("body.inputs", FORMS)
        self.check_rows(len(inputs))
        kinds = set(map(type, inputs))
        if kinds <= {dict} and self._named:
            return self._read_records(inputs, policy)
        if kinds <= {list}:
            return self._read_rows(inputs)
        if not self._named and len(self._order) == 1 and not kinds & {dict, list}:  # texts, for a model of texts
            return Table({self._order[0]: inputs}, len(inputs), "rows")
        raise refuse("body.inputs", FORMS if self._named else ROWS_ONLY)

    def read_split(self, columns: Sequence[object] | None, rows: list[list[object]], policy: ReadPolicy) -> Table:
        """Read rows whose columns are named once.

        Raises:
            InvalidInputs: A name is missing, unknown or there twice, or a row has another length.
        """
        self.check_rows(len(rows))
        names = list(self._order) if columns is None else list(columns)
        findings = Findings()
        if columns is not None:
            if len(set(map(str, names))) != len(names):
                findings.add("body.inputs.columns", "has a name twice")
            self._check_names(findings, "body.inputs.columns", names, policy)
        for position, row in enumerate(rows):
            if len(row) != len(names):
                findings.add(f"body.inputs.data.{position}", f"has {len(row)} values; there are {len(names)} columns")
        findings.raise_any()
        values = zip(*rows, strict=True) if rows else ((),) * len(names)
        given = dict(zip(names, values, strict=True))
        return Table({name: given[name] for name in self._order if name in given}, len(rows), "split")

    def check_rows(self, rows: int) -> None:
        """Refuse a table that is too long."""
        if rows > self._max_rows:
            raise refuse("body.inputs", f"has {rows} rows; at most {self._max_rows} are scored at once")

    def _read_columns(self, inputs: dict[str, object], policy: ReadPolicy) -> Table:
        if not self._named:
            raise refuse("body.inputs", ROWS_ONLY)
        findings = Findings()
        self._check_names(findings, "body.inputs", inputs.keys(), policy)
        present = [name for name in self._order if name in inputs]
        lengths: set[int] = set()
        for name in present:
            values = inputs[str(name)]
            if isinstance(values, list):
                lengths.add(len(values))
            else:
                findings.add(f"body.inputs.{name}", "must be a list with one value per row")
        if len(lengths) > 1:
            findings.add("body.inputs", "has columns of different lengths")
        findings.raise_any()
        rows = lengths.pop() if lengths else 0
        self.check_rows(rows)
        columns: dict[str | int, Sequence[object]] = {name: inputs[str(name)] for name in present}  # type: ignore[misc]  # lists, as checked
        return Table(columns, rows, "columns")

    def _read_records(self, inputs: list[dict[str | int, object]], policy: ReadPolicy) -> Table:
        if all(row.keys() == self._known for row in inputs):
            return self._table(list(map(self._values, inputs)), "records")
        findings = Findings()
        for position, row in enumerate(inputs):
            self._check_names(findings, f"body.inputs.{position}", row.keys(), policy)
            if findings.full:
                break
        findings.raise_any()
        given = set().union(*inputs)
        present = [name for name in self._order if name in given]
        return Table({name: [row.get(name) for row in inputs] for name in present}, len(inputs), "records")

    def _read_rows(self, inputs: list[list[object]]) -> Table:
        if set(map(len, inputs)) <= {len(self._order)}:
            return self._table(inputs, "rows")
        findings = Findings()
        columns = len(self._order)
        for position, row in enumerate(inputs):
            if len(row) != columns:
                findings.add(f"body.inputs.{position}", f"has {len(row)} values; the model has {columns} columns")
        findings.raise_any()
        raise AssertionError("lengths differ and no row is to blame")

    def _table(self, rows: Sequence[Sequence[object]], form: Literal["records", "rows"]) -> Table:
        columns = zip(*rows, strict=True) if rows else ((),) * len(self._order)
        return Table(dict(zip(self._order, columns, strict=True)), len(rows), form)

    def _check_names(self, findings: Findings, path: str, names: Iterable[object], policy: ReadPolicy) -> None:
        given = frozenset(names)
        for name in self._order:
            if name not in given and name not in self._optional:
                findings.add(f"{path}.{name}", "is missing")
        unknown = sorted(str(name) for name in given - self._known)
        if unknown and policy.unknown_columns == "refuse":
            cut = (name[:NAME_LENGTH] for name in unknown if name.isprintable())
            findings.add(path, f"has columns that the model does not have: {listing(cut)}")
