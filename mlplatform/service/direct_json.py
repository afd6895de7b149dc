"""JSON bodies of direct routes, checked by the same rules as those of all others."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mlplatform.errors import problem_of_validation

Body = TypeVar("Body", bound=BaseModel)


def validate_body(content: object, kind: type[Body]) -> Body:
    """Check the content of a body.

    Raises:
        Unprocessable: It does not fit; the error names the fields.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        found = [{**wrong, "loc": ("body", *wrong["loc"])} for wrong in error.errors()]
        raise problem_of_validation(found) from error


def json_body(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the `requestBody` of a direct route; its `$defs` are moved to where the references point."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"required": True, "content": {"application/json": {"schema": schema}}}
