"""The scoring protocol in OpenAPI."""

from typing import Any

from services.model_serving.protocols.documents import Document, answers, path_parameters

DESCRIPTION = """What `mlflow models serve` takes and answers: `dataframe_split` (the fastest JSON form),
`dataframe_records`, `instances` or `inputs`, with `params` beside it; CSV; Parquet. Stricter than the stock server
where that loses or guesses: 1.9 for an integer and text for a number are refused, unless
`ML_SERVING_MLFLOW_COMPAT` is on.
"""
_ANY: Document = {}
_PARAMS: Document = {"type": ["object", "null"], "description": "Parameters; undeclared ones are passed over."}
_SPLIT: Document = {
    "type": "object",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "columns": {"type": ["array", "null"], "items": {"type": ["string", "integer"]}},
        "data": {"type": "array", "items": {"type": "array"}},
        "index": {"type": ["array", "null"]},
    },
}
_FORMS: dict[str, Document] = {
    "dataframe_split": _SPLIT,
    "dataframe_records": {"type": "array", "items": {"type": "object"}},
    "instances": _ANY,
    "inputs": _ANY,
}
_BODY: Document = {
    "type": "object",
    "properties": {**_FORMS, "params": _PARAMS},
    "oneOf": [{"required": [name]} for name in _FORMS],
    "example": {"dataframe_split": {"columns": ["x"], "data": [[1.0]]}},
}
_ERROR: Document = {
    "type": "object",
    "required": ["error_code", "message", "request_id"],
    "properties": {
        "error_code": {"type": "string", "example": "BAD_REQUEST"},
        "message": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_ERRORS: Document = {"application/json": {"schema": _ERROR}}
VERSION: dict[str, Any] = {
    "summary": "Say which MLflow the answers are compatible with",
    "responses": {200: {"description": "The version, bare.", "content": {"application/json": {}}}},
}


def scoring(path: str) -> dict[str, Any]:
    """Describe a scoring route."""
    which = "the default model" if "{name}" not in path else "a model"
    found = answers({"application/json": {"schema": _ANY}}, _ERRORS)
    found[415] = {"description": "Another content type.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {
        "summary": f"Score with {which}",
        "description": DESCRIPTION,
        "parameters": path_parameters(path),
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _BODY},
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": found,
    }
