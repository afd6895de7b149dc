"""What a caller of one signature must change to call another."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.models import ModelSignature
from mlflow.types.schema import ParamSchema, Schema, TensorSpec


@dataclass(frozen=True, slots=True)
class Field:
    """One column, tensor or parameter.

    Attributes:
        type: Its type, and for a tensor its shape, in words.
        required: Whether a caller must give it.
    """

    type: str
    required: bool


def breaking_changes(old: ModelSignature, new: ModelSignature) -> list[str]:
    """List what breaks callers who know the old signature; a new optional input does not.

    Args:
        old: What callers know.
        new: What they would meet.

    Returns:
        One phrase for each change; none when callers can stay as they are.
    """
    return [
        *_changed_inputs(_fields(old.inputs), _fields(new.inputs)),
        *_changed_outputs(old.outputs, new.outputs),
        *_changed_parameters(_parameters(old.params), _parameters(new.params)),
    ]


def compare_fields(old: ModelSignature | None, new: ModelSignature) -> list[dict[str, str | None]]:
    """Set two signatures side by side, for a table: a line for each input, output and parameter.

    Args:
        old: Of the version in production; None when there is none.
        new: Of the candidate.

    Returns:
        For each line `kind`, `name`, `production` and `candidate`, the last two in words and None where there is none.
    """
    sides = {
        "input": (_fields(old and old.inputs), _fields(new.inputs)),
        "output": (_fields(old and old.outputs), _fields(new.outputs)),
        "parameter": (_parameters(old and old.params), _parameters(new.params)),
    }
    return [
        {"kind": kind, "name": name, "production": _shown(kind, before, name), "candidate": _shown(kind, after, name)}
        for kind, (before, after) in sides.items()
        for name in dict.fromkeys([*after, *before])
    ]


def _shown(kind: str, fields: Mapping[str, Field], name: str) -> str | None:
    if name not in fields:
        return None
    return f"{fields[name].type}, optional" if kind == "input" and not fields[name].required else fields[name].type


def _changed_inputs(old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    changes = [*_removed("input", old, new), *_retyped("input", old, new)]
    changes += [f"input {name} is new and required" for name in new if name not in old and new[name].required]
    changes += [
        f"input {name} is required now" for name in new if name in old and new[name].required and not old[name].required
    ]
    shared = [name for name in old if name in new]
    # Rows given as lists go by position.
    if list(new)[: len(shared)] != shared:
        changes.append("the inputs are in another order")
    return changes


def _changed_outputs(old: Schema | None, new: Schema | None) -> list[str]:
    before, after = _fields(old), _fields(new)
    changes = [*_removed("output", before, after), *_retyped("output", before, after)]
    added = [name for name in after if name not in before]
    if before and added and not (old is not None and old.has_input_names()):
        changes.append("there are more outputs")
    return changes


def _changed_parameters(old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    return [*_removed("parameter", old, new), *_retyped("parameter", old, new)]


def _removed(kind: str, old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    return [f"{kind} {name} is gone" for name in old if name not in new]


def _retyped(kind: str, old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    return [
        f"{kind} {name} is {new[name].type}, was {old[name].type}"
        for name in old
        if name in new and new[name].type != old[name].type
    ]


def _fields(schema: Schema | None) -> dict[str, Field]:
    """Name the fields of a schema; those without names go by their position, from 1."""
    if schema is None:
        return {}
    return {
        str(spec.name or position): Field(
            type=f"{spec.type} of shape {spec.shape}" if isinstance(spec, TensorSpec) else _words(spec.type),
            required=bool(spec.required),
        )
        for position, spec in enumerate(schema.inputs, start=1)
    }


def _parameters(schema: ParamSchema | None) -> dict[str, Field]:
    if schema is None:
        return {}
    return {
        spec.name: Field(_words(spec.dtype) if spec.shape is None else f"list of {_words(spec.dtype)}", required=False)
        for spec in schema.params
    }


def _words(kind: object) -> str:
    return str(getattr(kind, "name", kind))
