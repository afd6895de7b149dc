"""Which model a name means."""

from services.embedding.errors import ModelNotServed
from services.embedding.served_model import ServedModel

PRODUCTION = "production"


def names_of(model: ServedModel, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names that callers may use, the model's own first.

    Args:
        model: A model in memory.
        more: Names that the operator gave it.
    """
    names = [model.name, f"{model.name}:{model.version}"]
    if model.version == model.production_version:
        names.append(f"{model.name}@{PRODUCTION}")
    return (*names, *more)


def check_name(name: str | None, model: ServedModel, more: tuple[str, ...] = ()) -> None:
    """Refuse a name that is not this model's.

    Args:
        name: What the caller asks for; None for whatever is served.
        model: The model in memory.
        more: Names that the operator gave it.

    Raises:
        ModelNotServed: It is another's.
    """
    if name is not None and name not in names_of(model, more):
        raise ModelNotServed("No such model is served here; GET /api/v1/models lists those that are.")
