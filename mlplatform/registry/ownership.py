"""Whose a registered model is: all versions of one name are loaded by one service, as one kind. Calls block."""

from mlplatform.registry import tags as tag
from mlplatform.registry.errors import ModelNotFound, RegistryRefused
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION


def check_owner(registry: Registry, name: str, service: str, kind: str | None = None) -> None:
    """Refuse a name whose versions are loaded otherwise: one more would be met where it cannot be loaded.

    Args:
        registry: Where a version is to be registered.
        name: The registered model that it is to be a version of.
        service: Which is to load it.
        kind: What that service has it for, as its logged model says; None where it has models for one thing only.

    Raises:
        RegistryRefused: The name is another service's, or has models of another kind.
        RegistryUnavailable: MLflow is down.
    """
    try:
        model = registry.get_model(name)
    except ModelNotFound:
        return
    newest, _ = registry.list_versions(name, limit=1)
    owned = tag.SERVED_BY in model.tags or bool(newest)
    if owned and model.served_by != service:
        raise RegistryRefused(
            f"{name!r} is a model of the {model.served_by} service, which could not load a version for the {service} "
            "service: choose another name."
        )
    if kind is None or not newest:
        return
    serves = newest[0] if PRODUCTION not in model.aliases else registry.resolve(name)
    held = registry.kind_of(serves)
    if held is not None and held != kind:
        raise RegistryRefused(
            f"{name!r} is the name of a {held}, of which a {kind} could be no version: choose another name."
        )
