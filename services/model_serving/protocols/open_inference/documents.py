"""The protocol in OpenAPI."""

from typing import Any

from services.model_serving.protocols.documents import Document, answers, path_parameters
from services.model_serving.protocols.open_inference.binary_data import HEADER
from services.model_serving.protocols.open_inference.datatypes import BYTES, NUMPY
from services.model_serving.protocols.open_inference.infer_response import BINARY_TYPE
from services.model_serving.schemas import ALIAS, VERSION

JSON = "application/json"
INFERENCE = """One tensor per column of the model (`[n]` or `[n, 1]`), or one of all columns `[n, k]` by position, or
tensors by name. Values are in `data`, flat or nested, or follow the JSON as raw bytes: `binary_data_size` says how
many, and the header `Inference-Header-Content-Length` where the JSON ends. A version in the path is a number or an
alias.
"""
_PARAMETERS: Document = {
    "type": ["object", "null"],
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_TENSOR: Document = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 16},
        "datatype": {"enum": [*NUMPY, BYTES]},
        "parameters": _PARAMETERS,
        "data": {"type": "array"},
    },
}
_WANTED: Document = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}, "parameters": _PARAMETERS},
}
_REQUEST: Document = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {"type": ["array", "null"], "items": _WANTED},
    },
    "example": {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [1.0]}]},
}
_RESPONSE: Document = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "outputs": {"type": "array", "items": _TENSOR},
    },
}
_ERRORS: Document = {
    JSON: {"schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}}
}
_BINARY: Document = {"schema": {"type": "string", "format": "binary"}}
_HEADER: Document = {
    "name": HEADER,
    "in": "header",
    "description": "Bytes of the JSON at the start of the body; 0 for a body without JSON.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}
_OBJECT: Document = {"schema": {"type": "object"}}
_ONE_VERSION: Document = {
    "version": {"type": "string", "pattern": VERSION},
    "alias": {"type": "string", "pattern": ALIAS},
}


def _with_parameters(properties: Document, **more: object) -> Document:
    parameters = {"type": ["object", "null"], "additionalProperties": False, "properties": properties, **more}
    return {"type": "object", "properties": {"parameters": parameters}}


_BODIES: dict[str, Document] = {
    "index": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    "load": _with_parameters(_ONE_VERSION, maxProperties=1),
    "unload": _with_parameters({"unload_dependents": {}}),
}


def operation(path: str, summary: str | None) -> dict[str, Any]:
    """Describe a route.

    Args:
        path: Of the route.
        summary: What it does.
    """
    last = path.rpartition("/")[2]
    found: dict[str, Any] = {
        "summary": (summary or "").rstrip("."),
        "parameters": path_parameters(path),
        "responses": answers({JSON: {"schema": {}} if last == "index" else _OBJECT}, _ERRORS),
    }
    if last == "infer":
        found["description"] = INFERENCE
        found["parameters"].append(_HEADER)
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": _REQUEST}, BINARY_TYPE: _BINARY}}
        found["responses"] = answers({JSON: {"schema": _RESPONSE}, BINARY_TYPE: _BINARY}, _ERRORS)
    elif last in _BODIES:
        found["requestBody"] = {"required": False, "content": {JSON: {"schema": _BODIES[last]}}}
    return found
