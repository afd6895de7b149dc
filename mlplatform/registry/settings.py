"""The settings of promotions."""

import shlex
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr
from pydantic_settings import NoDecode

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration, Url
from mlplatform.settings.parsing import split_list

Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)]
Urls = Annotated[tuple[Url, ...], NoDecode, BeforeValidator(split_list)]
PositiveDuration = Annotated[Duration, Field(gt=timedelta(0))]


def _check_command(value: str | None) -> str | None:
    if value is not None and not shlex.split(value):
        raise ValueError("must be a command such as `python -m services.model_serving.probe`")
    return value


class PromotionSettings(PlatformSettings):
    """Promotion."""

    token: SecretStr | None = None
    """Your token, which proves who you are to `promote_model.py`. Unset: the user of the operating system acts."""
    promotion_wait: PositiveDuration = timedelta(seconds=60)
    """How long a promotion waits for another one of the same model to end."""
    promotion_require_approval: bool = False
    """Whether a version needs another person's approval before it may go to Production."""
    promotion_approval_ttl: PositiveDuration = timedelta(days=7)
    """How long an approval holds."""
    promotion_keep_live: Duration = timedelta(days=7)
    """How long a version that was in production cannot be deleted after it left."""
    promotion_allow_pickle: Names = ()
    """Models of other services than model serving that may hold pickled files, which can run any code. Of model
    serving's own models, `ML_SERVING_ALLOW_PICKLE` decides."""
    promotion_served_timeout: PositiveDuration = timedelta(seconds=60)
    """How long `--wait-served` waits for serving to answer with the version."""
    promotion_served_urls: Urls = ()
    """Address of each replica of serving, all of which `--wait-served` waits for. Unset: it asks at `ML_SERVING_URL`,
    behind which it sees one replica."""
    servability_command: Annotated[str | None, AfterValidator(_check_command)] = None
    """Program that tries a version as serving would; called with `--model NAME --version V --json`. Unset: the probe of
    model serving, in this Python."""
    servability_timeout: PositiveDuration = timedelta(minutes=3)
    """How long that program may take."""
    servability_max_load: PositiveDuration | None = None
    """Budget of the gate: how long a version may take to load. Unset: no limit."""
    servability_max_p50: PositiveDuration | None = None
    """Budget of the gate: how long scoring the input example may take, in the median. Unset: no limit."""
    servability_max_memory: Annotated[ByteSize, Field(ge=1)] | None = None
    """Budget of the gate: how much memory a process with the version alone may hold. Unset: no limit."""
