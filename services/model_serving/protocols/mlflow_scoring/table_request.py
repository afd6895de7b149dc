"""CSV and Parquet bodies."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.types.schema import DataType

from services.model_serving.dataplane import LARGE_BODY
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.errors import InvalidInputs
from services.model_serving.protocols.mlflow_scoring.content_type import Form
from services.model_serving.protocols.mlflow_scoring.csv_table import read_csv
from services.model_serving.protocols.mlflow_scoring.parquet_table import read_parquet
from services.model_serving.protocols.naming import renamed
from services.model_serving.signature import ModelInput, ReadPolicy
from services.model_serving.signature.compiled import UndeclaredInputs
from services.model_serving.signature.tensors import TensorSignature


class TableRequest:
    """Reads a table once its model is known.

    Args:
        body: As the caller sent it.
        form: CSV or Parquet.
        policy: How strictly.
        max_rows: Longer tables are refused before they are read.

    Attributes:
        size: Bytes that the body counts for: few can stand for many, so that each table is read in a thread.
    """

    wrapped = True

    def __init__(self, body: bytes, form: Form, policy: ReadPolicy, max_rows: int) -> None:
        self._body = body
        self._form = form
        self._policy = policy
        self._max_rows = max_rows
        self.size = max(len(body), LARGE_BODY)

    def read(self, model: LoadedModel) -> tuple[ModelInput, Params]:
        """Read with a model's signature.

        Raises:
            BadRequest: the body is no such table.
            PayloadTooLarge: it would take too much memory.
            InvalidInputs: it does not fit the signature; fields are named by column.
        """
        kinds = _kinds(model)
        try:
            read = read_csv if self._form is Form.CSV else read_parquet
            frame = read(self._body, kinds, self._max_rows)
            return self._fit(model, frame, kinds), model.signature.parameters.read({})
        except InvalidInputs as error:
            raise renamed(error, "table", "params") from error

    def _fit(self, model: LoadedModel, frame: pd.DataFrame, kinds: dict[str, Any]) -> ModelInput:
        reader = model.signature.inputs
        if isinstance(reader, UndeclaredInputs):
            return reader.read(frame.to_dict("list"))
        if isinstance(reader, TensorSignature) or not kinds:
            return reader.read_arrays(frame.to_numpy(), self._policy)
        names = {str(name): name for name in frame.columns}
        unknown = np.empty(len(frame), np.bool_)
        arrays = {name: _column(frame[names[name]], kinds[name]) if name in kinds else unknown for name in names}
        return reader.read_arrays(arrays, self._policy)


def _kinds(model: LoadedModel) -> dict[str, Any]:
    schema = None if model.declared is None else model.declared.inputs
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return {}
    return dict(zip(schema.input_names(), schema.input_types(), strict=True))


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
