from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from mlplatform.errors import BadRequest, PlatformError
from mlplatform.errors.validation import LISTED_ERRORS, problem_of_validation

SECRET = "patient-4711"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Request(BaseModel):
    count: int = 0
    names: list[Annotated[str, Field(max_length=3)]] = []
    color: Literal["red", "green"] = "red"
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    code: str = ""
    options: dict[str, int] = {}

    @field_validator("code")
    @classmethod
    def repeat(cls, value: str) -> str:
        if value:
            raise ValueError(f"{value} is not a code" if len(value) > 8 else "must be empty")
        return value


def problem_of(**values: object) -> PlatformError:
    with pytest.raises(ValidationError) as caught:
        Request.model_validate(values)
    return problem_of_validation(caught.value.errors())


def texts(problem: PlatformError) -> str:
    return " ".join([problem.detail, *(f"{wrong.field} {wrong.message}" for wrong in problem.errors)])


class TestProblemOfValidation:
    @pytest.mark.parametrize(
        "values",
        [
            {"count": SECRET},
            {"names": [SECRET]},
            {"color": SECRET},
            {"pet": {"kind": SECRET}},
            {"code": SECRET},
        ],
        ids=["type", "length", "choice", "tag", "validator"],
    )
    def test_input_is_never_repeated(self, values: dict[str, object]) -> None:
        problem = problem_of(**values)
        assert len(problem.errors) == 1
        assert SECRET not in texts(problem)

    def test_field_is_named_by_its_path(self) -> None:
        assert problem_of(names=["ok", "too long"]).errors[0].field == "names.1"

    def test_message_of_a_validator_without_input(self) -> None:
        assert problem_of(code="abc").errors[0].message == "must be empty"

    def test_names_of_the_caller_are_cut_and_printable(self) -> None:
        field = problem_of(options={f"a\r\nb{'x' * 200}": "no number"}).errors[0].field
        assert field.isprintable()
        assert len(field) <= len("options.") + 64

    def test_many_errors_are_counted(self) -> None:
        problem = problem_of(names=["too long"] * 50)
        assert len(problem.errors) == LISTED_ERRORS
        assert "first 20 of 50" in problem.detail

    def test_no_json(self) -> None:
        problem = problem_of_validation([{"type": "json_invalid", "loc": ("body", 0), "msg": "x", "input": SECRET}])
        assert isinstance(problem, BadRequest)
        assert SECRET not in texts(problem)
