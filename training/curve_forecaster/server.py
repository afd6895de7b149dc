"""The MLflow server of a run."""

from mlplatform.registry.registry import Registry
from mlplatform.settings import PlatformSettings, SettingsError
from mlplatform.training.failures import UsageError


def open_registry() -> Registry:
    """Return the registry that the settings name, once its server has answered.

    Raises:
        UsageError: A setting cannot be read.
        RegistryUnavailable: MLflow does not answer.
    """
    try:
        settings = PlatformSettings()
    except SettingsError as error:
        raise UsageError(str(error)) from None
    registry = Registry(settings.mlflow_url)
    registry.ping()
    return registry
