"""Write the settings as a Markdown table, for the documentation."""

from collections.abc import Sequence
from datetime import timedelta
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ByteSize, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mlplatform.settings.base import PlatformSettings

HEADER = "| variable | type | default | meaning |\n|---|---|---|---|\n"
TYPE_NAMES: dict[type, str] = {ByteSize: "size", SecretStr: "secret", timedelta: "duration", bool: "true or false"}
SIZES = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def render_reference(classes: Sequence[type[PlatformSettings]]) -> str:
    """Return a heading and a table for each class; one shows only what its parents do not have.

    Args:
        classes: Settings classes, the shared base first.
    """
    return "\n".join(f"## {_title(settings)}\n\n{_table(settings)}" for settings in classes)


def _title(settings: type[PlatformSettings]) -> str:
    return (settings.__doc__ or settings.__name__).strip().splitlines()[0].rstrip(".")


def _table(settings: type[PlatformSettings]) -> str:
    inherited = {name for parent in settings.__mro__[1:] for name in getattr(parent, "model_fields", {})}
    prefix = settings.model_config["env_prefix"]
    rows = (
        _row(f"{prefix}{name}".upper(), field) for name, field in settings.model_fields.items() if name not in inherited
    )
    return HEADER + "".join(rows)


def _row(variable: str, field: FieldInfo) -> str:
    cells = (f"`{variable}`", _kind(field.annotation), _default(field), field.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def _kind(annotation: Any) -> str:  # noqa: ANN401 - any annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kind(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return _kind(next(part for part in get_args(annotation) if part is not NoneType))
    if origin is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin is tuple:
        return "list, separated by commas"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "one of " + ", ".join(f"`{choice.value}`" for choice in annotation)
    return {**TYPE_NAMES, str: "text", int: "whole number", float: "number"}.get(
        annotation, getattr(annotation, "__name__", str(annotation)).lower()
    )


def _default(field: FieldInfo) -> str:
    if _kind(field.annotation) == "secret":
        return "none" if field.default is None else "for a local start only"
    if field.default_factory is not None:
        return "see the meaning"
    if field.is_required() or field.default is PydanticUndefined:
        return "required"
    return _text(field.default)


def _text(value: object) -> str:
    if value is None or value in ((), ""):
        return "none"
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g}s`"
    if isinstance(value, ByteSize):
        unit, size = next(((unit, size) for unit, size in SIZES if value % size == 0), ("B", 1))
        return f"`{value // size}{unit}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, tuple):
        return f"`{','.join(str(part) for part in value)}`"
    return f"`{value}`"
