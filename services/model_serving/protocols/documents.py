"""Parts of OpenAPI that the protocols share."""

import re
from typing import Any

from services.model_serving.protocols.native import HEADERS
from services.model_serving.schemas import ALIAS, MODEL_NAME, VERSION

Document = dict[str, Any]
Answers = dict[int | str, Document]
ERROR_STATUSES = (400, 401, 403, 404, 413, 415, 429, 500, 503, 504)
_PARAMETERS: dict[str, Document] = {
    "name": {"description": "A registered model.", "schema": {"type": "string", "pattern": MODEL_NAME}},
    "version": {"description": "A version's number.", "schema": {"type": "string", "pattern": VERSION}},
    "alias": {"description": "An alias of a version.", "schema": {"type": "string", "pattern": ALIAS}},
    "choice": {"description": "A version's number, or an alias.", "schema": {"type": "string", "pattern": ALIAS}},
}


def path_parameters(path: str) -> list[Document]:
    """Describe the parameters of a path."""
    names = re.findall(r"{(\w+)}", path)
    return [{"name": name, "in": "path", "required": True, **_PARAMETERS[name]} for name in names]


def answers(content: Document, errors: Document, *, statuses: tuple[int, ...] = ERROR_STATUSES) -> Answers:
    """Describe the answers of a route that predicts.

    Args:
        content: Of the answer, by media type.
        errors: The same for every error.
        statuses: That an error can have.
    """
    failures: Answers = {status: {"description": "Refused, or failed.", "content": errors} for status in statuses}
    return {200: {"description": "The answer.", "content": content, "headers": HEADERS}, **failures}
