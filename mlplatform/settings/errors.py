"""Why a process refuses to start.

* SettingsError
  + InvalidSettings
  + UnsafeSettings
  + VaultUnavailable
"""

from typing import Self

from pydantic import ValidationError


class SettingsError(Exception):
    """The settings do not allow a start; the message says what to change."""


class InvalidSettings(SettingsError):
    """A variable has a value of the wrong form."""

    @classmethod
    def of(cls, error: ValidationError, *, prefix: str) -> Self:
        """Name each variable and what is wrong with it, without the value: it may be a secret."""
        lines = [
            f"  {prefix}{'_'.join(str(part) for part in problem['loc'][:1]).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        return cls("\n".join(["Settings that cannot be read:", *lines]))


class UnsafeSettings(SettingsError):
    """`ML_ENV=production` with values that only a laptop may have."""


class VaultUnavailable(SettingsError):
    """Vault is configured and cannot be read."""
