"""Whose a registered model is: all versions of one name are loaded by one service. Calls block."""

from mlplatform.registry import tags as tag
from mlplatform.registry.errors import ModelNotFound, RegistryRefused
from mlplatform.registry.registry import Registry


def check_owner(registry: Registry, name: str, service: str) -> None:
    """Refuse a name whose versions another service loads: it would meet one there that it cannot load.

    Args:
        registry: Where a version is to be registered.
        name: The registered model that it is to be a version of.
        service: Which is to load it.

    Raises:
        RegistryRefused: The name is another service's.
        RegistryUnavailable: MLflow is down.
    """
    try:
        model = registry.get_model(name)
    except ModelNotFound:
        return
    owned = tag.SERVED_BY in model.tags or bool(registry.list_versions(name, limit=1)[0])
    if owned and model.served_by != service:
        raise RegistryRefused(
            f"{name!r} is a model of the {model.served_by} service, which could not load a version for the {service} "
            "service: choose another name."
        )
