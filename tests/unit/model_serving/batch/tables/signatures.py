"""Columns of models that tests read tables for."""

import math

from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema

from services.model_serving.batch.tables.block import Block
from services.model_serving.batch.tables.columns import Columns

KINDS = {
    "x": "double",
    "f": "float",
    "n": "long",
    "i": "integer",
    "b": "boolean",
    "s": "string",
    "t": "datetime",
    "y": "binary",
}


def declared(*names: str) -> ModelSignature:
    return ModelSignature(inputs=Schema([ColSpec(KINDS[name], name) for name in names]))


def columns(*names: str) -> Columns:
    return Columns.of(declared(*names))


def rows_of(block: Block) -> list[object]:
    """Return each row of a block, or what is wrong with it."""
    rows: list[object] = [block.faults.get(place) for place in range(block.rows)]
    for place, row in zip(block.where(), block.table.to_pylist(), strict=True):
        rows[place] = {name: _comparable(value) for name, value in row.items()}
    return rows


def _comparable(value: object) -> object:
    """Return NaN, which is not equal to itself, as what is missing; it is the same to a model."""
    return None if isinstance(value, float) and math.isnan(value) else value
