"""Settings from the environment, Vault and files."""

from mlplatform.settings.base import Environment, PlatformSettings
from mlplatform.settings.errors import InvalidSettings, SettingsError, UnsafeSettings, VaultUnavailable

__all__ = ["Environment", "InvalidSettings", "PlatformSettings", "SettingsError", "UnsafeSettings", "VaultUnavailable"]
