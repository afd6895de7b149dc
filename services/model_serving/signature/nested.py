"""Checks of columns whose values are lists or objects (`Array`, `Object`, `Map` of an MLflow signature)."""

from collections.abc import Callable
from typing import TypeAlias

from mlflow.types.schema import AnyType, Array, DataType, Map, Object

Complain: TypeAlias = Callable[[str, str], None]
"""Called with the path inside the value and the message."""

_PYTHON: dict[str, tuple[frozenset[type], str]] = {
    "boolean": (frozenset({bool}), "true or false"),
    "integer": (frozenset({int}), "an integer"),
    "long": (frozenset({int}), "an integer"),
    "float": (frozenset({int, float}), "a number"),
    "double": (frozenset({int, float}), "a number"),
    "string": (frozenset({str}), "text"),
    "binary": (frozenset({str}), "base64 text"),
    "datetime": (frozenset({str}), "ISO 8601 text"),
}


def check(value: object, kind: object, *, required: bool, path: str, complain: Complain) -> None:
    """Complain about every part of `value` that is not of the declared `kind`."""
    if isinstance(kind, AnyType) or (value is None and not required):
        return
    if isinstance(kind, Array):
        _check_list(value, kind, path, complain)
    elif isinstance(kind, Object):
        _check_object(value, kind, path, complain)
    elif isinstance(kind, Map):
        _check_map(value, kind, path, complain)
    elif isinstance(kind, DataType):
        types, wanted = _PYTHON[kind.name]
        if type(value) not in types:
            complain(path, f"must be {wanted}")


def _check_list(value: object, kind: Array, path: str, complain: Complain) -> None:
    if not isinstance(value, list):
        complain(path, "must be a list")
        return
    for position, item in enumerate(value):
        check(item, kind.dtype, required=True, path=f"{path}.{position}", complain=complain)


def _check_object(value: object, kind: Object, path: str, complain: Complain) -> None:
    if not isinstance(value, dict):
        complain(path, "must be an object")
        return
    declared = {part.name: part for part in kind.properties}
    for name, part in declared.items():
        if name in value:
            check(value[name], part.dtype, required=part.required, path=f"{path}.{name}", complain=complain)
        elif part.required:
            complain(f"{path}.{name}", "is missing")
    if value.keys() - declared.keys():
        complain(path, "has properties that the model does not declare")


def _check_map(value: object, kind: Map, path: str, complain: Complain) -> None:
    if not isinstance(value, dict):
        complain(path, "must be an object")
        return
    for item in value.values():
        check(item, kind.value_type, required=True, path=f"{path}.*", complain=complain)
