"""The protocol in OpenAPI."""

from typing import Any

Document = dict[str, Any]

DESCRIPTION = """What the OpenAI API takes and answers, so that its clients work here.

`input` is a text, a list of texts, or token ids **of this model's own tokenizer**: ids of another one, such as those of
`tiktoken`, mean other words. Without `dimensions` a vector has the model's length; with it, the first components, made
a unit vector again. A text that is longer than the model reads is cut, and its item has `"truncated": true`.
"""
STATUSES = (400, 401, 403, 404, 413, 415, 429, 500, 503, 504)
_IDS: Document = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}}
_BODY: Document = {
    "type": "object",
    "required": ["input", "model"],
    "additionalProperties": False,
    "properties": {
        "input": {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
                _IDS,
                {"type": "array", "minItems": 1, "items": _IDS},
            ]
        },
        "model": {"type": "string", "minLength": 1, "example": "text-embedder"},
        "encoding_format": {"anyOf": [{"enum": ["float", "base64"]}, {"type": "null"}], "default": "float"},
        "dimensions": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
        "user": {"description": "Taken and not used."},
    },
    "example": {"model": "text-embedder", "input": "inverted yield curve"},
}
_ANSWER: Document = {
    "type": "object",
    "required": ["object", "data", "model", "usage"],
    "properties": {
        "object": {"const": "list"},
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["object", "index", "embedding"],
                "properties": {
                    "object": {"const": "embedding"},
                    "index": {"type": "integer"},
                    "embedding": {
                        "anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}],
                        "description": "Numbers, or base64 of little-endian float32.",
                    },
                    "truncated": {"const": True, "description": "The text was longer than the model reads."},
                },
            },
        },
        "model": {"type": "string"},
        "usage": {
            "type": "object",
            "required": ["prompt_tokens", "total_tokens"],
            "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
        },
    },
}
_MODEL: Document = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer", "description": "When this node began to serve, in seconds since 1970."},
        "owned_by": {"type": "string"},
    },
}
_MODELS: Document = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}},
}
_ERROR: Document = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"], "description": "The wrong argument."},
                "code": {"type": ["string", "null"]},
            },
        },
        "request_id": {"type": "string"},
    },
}


def _answers(schema: Document) -> dict[int | str, Document]:
    failures: dict[int | str, Document] = {
        status: {"description": "Refused, or failed.", "content": {"application/json": {"schema": _ERROR}}}
        for status in STATUSES
    }
    return {200: {"description": "The answer.", "content": {"application/json": {"schema": schema}}}, **failures}


EMBEDDINGS: Document = {
    "summary": "Turn texts into vectors, as the OpenAI API does",
    "description": DESCRIPTION,
    "requestBody": {"required": True, "content": {"application/json": {"schema": _BODY}}},
    "responses": _answers(_ANSWER),
}
MODELS: Document = {
    "summary": "List the models that are served, as the OpenAI API does",
    "description": "The models in memory, by each name that a request may use.",
    "responses": _answers(_MODELS),
}
MODEL: Document = {
    "summary": "Describe a model, as the OpenAI API does",
    "description": "A model in memory.",
    "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
    "responses": _answers(_MODEL),
}
