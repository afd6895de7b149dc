"""CSV and Parquet bodies."""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.types.schema import DataType

from mlplatform.errors import BadRequest, FieldError
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.mlflow_scoring.content_type import Form
from services.model_serving.protocols.naming import renamed
from services.model_serving.signature import ModelInput, ReadPolicy
from services.model_serving.signature.compiled import UndeclaredInputs
from services.model_serving.signature.tensors import TensorSignature

NO_CSV = "The body is not a CSV table in UTF-8 as pandas writes it."
NO_PARQUET = "The body is not a Parquet table as pandas writes it."
CELLS = 50_000_000
"""Most values of a Parquet table: a few bytes of it can stand for billions of equal ones."""


class TableRequest:
    """Reads a table once its model is known.

    Args:
        body: As the caller sent it.
        form: CSV or Parquet.
        policy: How strictly.
        max_rows: Longer tables are refused before they are read.
    """

    wrapped = True

    def __init__(self, body: bytes, form: Form, policy: ReadPolicy, max_rows: int) -> None:
        self._body = body
        self._form = form
        self._policy = policy
        self._max_rows = max_rows

    def read(self, model: LoadedModel) -> tuple[ModelInput, Params]:
        """Read with a model's signature.

        Raises:
            BadRequest: the body is no such table.
            InvalidInputs: it does not fit the signature; fields are named by column.
        """
        kinds = _kinds(model)
        try:
            frame = self._read_csv(kinds) if self._form is Form.CSV else self._read_parquet()
            return self._fit(model, frame, kinds), model.signature.parameters.read({})
        except InvalidInputs as error:
            raise renamed(error, "table", "params") from error

    def _read_csv(self, kinds: dict[str, Any]) -> pd.DataFrame:
        try:
            text = self._body.decode()
            header = next(csv.reader(io.StringIO(text)), [])
            if len(set(header)) != len(header):
                raise _wrong("columns", "has a name twice")
            types = {name: kind.to_pandas() for name, kind in kinds.items() if isinstance(kind, DataType)}
            types |= {name: np.dtype(object) for name, kind in kinds.items() if kind is DataType.datetime}
            frame = _parse_csv(text, types, self._max_rows + 1)
        except (UnicodeDecodeError, csv.Error, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
            raise BadRequest(NO_CSV) from error
        if not isinstance(frame.index, pd.RangeIndex):  # values too many became an index, and columns shifted
            raise BadRequest("A line of the CSV table has more values than its first line has names.")
        return frame

    def _read_parquet(self) -> pd.DataFrame:
        try:
            file = pq.ParquetFile(io.BytesIO(self._body))
            rows, columns = file.metadata.num_rows, file.metadata.num_columns
            if rows > self._max_rows or rows * columns > CELLS:
                raise _wrong("rows", f"are {rows}; at most {self._max_rows} are scored at once")
            names = file.schema_arrow.names
            if len(set(names)) != len(names):
                raise _wrong("columns", "has a name twice")
            frame: pd.DataFrame = file.read().to_pandas()
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:  # pandas' own metadata can be wrong too
            raise BadRequest(NO_PARQUET) from error
        return frame

    def _fit(self, model: LoadedModel, frame: pd.DataFrame, kinds: dict[str, Any]) -> ModelInput:
        reader = model.signature.inputs
        if isinstance(reader, UndeclaredInputs):
            return reader.read(frame.to_dict("list"))
        if isinstance(reader, TensorSignature) or not kinds:
            return reader.read_arrays(frame.to_numpy(), self._policy)
        names = {str(name): name for name in frame.columns}
        arrays = {
            name: _column(frame[names[name]], kinds[name]) if name in kinds else np.empty(len(frame), np.bool_)
            for name in names
        }
        return reader.read_arrays(arrays, self._policy)


def _kinds(model: LoadedModel) -> dict[str, Any]:
    schema = None if model.declared is None else model.declared.inputs
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return {}
    return dict(zip(schema.input_names(), schema.input_types(), strict=True))


def _parse_csv(text: str, types: dict[str, Any], rows: int) -> pd.DataFrame:
    try:
        return pd.read_csv(io.StringIO(text), dtype=types, nrows=rows)
    except pd.errors.EmptyDataError:
        raise
    except (ValueError, TypeError, OverflowError) as error:  # its message repeats the value
        raise _culprit(text, types, rows) or BadRequest(NO_CSV) from error


def _culprit(text: str, types: dict[str, Any], rows: int) -> InvalidInputs | None:
    """Find the columns that cannot be converted; None when that is not what is wrong."""
    errors = []
    for name, kind in types.items():
        try:
            pd.read_csv(io.StringIO(text), dtype={name: kind}, nrows=rows)
        except (ValueError, TypeError, OverflowError):
            errors.append(FieldError(f"body.inputs.{name}", f"must be {np.dtype(kind).name} in every row"))
    return InvalidInputs(errors) if errors else None


def _column(column: "pd.Series[Any]", kind: object) -> np.ndarray[Any, Any]:
    """Return a column as a typed array of the types that signatures read: numbers, or text, bytes and null."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        moments = column.to_numpy(dtype="datetime64[us]")
        return _nullable(np.datetime_as_string(moments), np.isnat(moments))
    values = column.to_numpy()
    if values.dtype.kind in "biuf" and not (values.dtype.kind == "f" and kind is DataType.string):
        return np.asarray(values)
    return _nullable(values, column.isna().to_numpy())


def _nullable(values: Any, missing: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401 (arrays of any type)
    objects = np.array(values, dtype=object)
    objects[missing] = None
    return objects


def _wrong(field: str, message: str) -> InvalidInputs:
    return InvalidInputs([FieldError(f"body.inputs.{field}", message)])
