"""Make the OpenAPI document say which failures each operation has."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from mlplatform.errors import PROBLEM_RESPONSES, Problem

VALIDATION_SCHEMAS = ("HTTPValidationError", "ValidationError")
ALWAYS = (400, 404, 405, 500, 503, 504)
WITH_CREDENTIALS = (401, 403, 429)
WITH_BODY = (409, 413, 415, 422)
WITH_PARAMETERS = (409, 422)


def document_problems(app: FastAPI) -> None:
    """Have the application's document list problems in place of FastAPI's own validation error.

    A response that the route declares itself stays as it is.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _complete(document)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for operation in _operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schemas.update(content.get("schema", {}).pop("$defs", {}))  # see `json_body`
        responses = operation.setdefault("responses", {})
        if "HTTPValidationError" in str(responses.get("422", "")):
            del responses["422"]
        for status in _statuses(operation):
            responses.setdefault(str(status), PROBLEM_RESPONSES[status])
    for name in VALIDATION_SCHEMAS:
        schemas.pop(name, None)


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        yield from (operation for operation in path.values() if isinstance(operation, dict))


def _statuses(operation: dict[str, Any]) -> set[int]:
    statuses = set(ALWAYS)
    if operation.get("security"):
        statuses.update(WITH_CREDENTIALS)
    if "requestBody" in operation:
        statuses.update(WITH_BODY)
    if operation.get("parameters"):
        statuses.update(WITH_PARAMETERS)
    return statuses
