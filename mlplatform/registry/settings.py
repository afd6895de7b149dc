"""The settings of promotions."""

import shlex
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration


def _check_command(value: str | None) -> str | None:
    if value is not None and not shlex.split(value):
        raise ValueError("must be a command such as `python -m services.model_serving.probe`")
    return value


class PromotionSettings(PlatformSettings):
    """Promotion."""

    promotion_wait: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=60)
    """How long a promotion waits for another one of the same model to end."""
    servability_command: Annotated[str | None, AfterValidator(_check_command)] = None
    """Program that tries a version as serving would; called with `--model NAME --version V --json`. Unset: the probe of
    model serving, in this Python."""
    servability_timeout: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=3)
    """How long that program may take."""
