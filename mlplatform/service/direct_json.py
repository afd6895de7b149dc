"""JSON bodies of direct routes, read by the same rules as those of all others."""

from typing import TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from mlplatform.errors import BadRequest, problem_of_validation
from mlplatform.service.direct import DirectRequest
from mlplatform.service.json_route import check_content_type

Body = TypeVar("Body", bound=BaseModel)


def read_json(request: DirectRequest, kind: type[Body]) -> Body:
    """Read a body.

    Raises:
        UnsupportedMediaType: It does not say it is JSON.
        BadRequest: It is no JSON.
        Unprocessable: It does not fit; the error names the fields.
    """
    check_content_type(request.headers)
    try:
        content = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise BadRequest("The body is not valid JSON in UTF-8; NaN and Infinity are not JSON.") from error
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        found = [{**wrong, "loc": ("body", *wrong["loc"])} for wrong in error.errors()]
        raise problem_of_validation(found) from error
