"""The input example that was logged with a model, in the form in which a caller would send it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from mlflow.models import Model

SERVING_EXAMPLE = "serving_input_example.json"


@dataclass(frozen=True, slots=True)
class InputExample:
    """The `inputs` and `params` of a call."""

    inputs: object
    params: dict[str, object]


def read_example(folder: Path, model: Model) -> InputExample | None:
    """Read the example that MLflow wrote for its scoring server; None when the model was logged without one."""
    file = folder / SERVING_EXAMPLE
    if not file.is_file():
        return None
    body: Any = orjson.loads(file.read_bytes())
    if not isinstance(body, dict):
        return InputExample(body, {})
    params = body.pop("params", None) or {}
    if "dataframe_split" in body:
        return InputExample(_table(body["dataframe_split"], model), params)
    for key in ("dataframe_records", "inputs", "instances"):
        if key in body:
            return InputExample(body[key], params)
    return InputExample(body, params)


def _table(split: dict[str, Any], model: Model) -> object:
    schema = model.get_input_schema()
    if schema is not None and not schema.has_input_names():
        return split["data"]
    if not split["data"]:
        return {name: [] for name in split["columns"]}
    return dict(zip(split["columns"], map(list, zip(*split["data"], strict=True)), strict=True))
