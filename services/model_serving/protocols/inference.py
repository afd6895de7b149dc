"""What the protocols that name a model in the path have in common: from a path to a call."""

import re
from collections.abc import Callable

from mlplatform.errors import NotFound
from mlplatform.service import DirectRequest
from services.model_serving.calls import Call
from services.model_serving.engine.loaded_model import LoadedModel, Params
from services.model_serving.protocols.addressing import addressed
from services.model_serving.schemas import ALIAS, MODEL_NAME, VERSION
from services.model_serving.signature import ModelInput

_MODEL, _VERSION, _ALIAS = (re.compile(pattern) for pattern in (MODEL_NAME, VERSION, ALIAS))


def call_of(
    request: DirectRequest,
    model: str,
    version: tuple[str | None, str | None],
    read: Callable[[LoadedModel], tuple[ModelInput, Params]],
    *,
    size: int | None = None,
) -> Call:
    """Make a call for a model.

    Args:
        request: Whose it is.
        model: A name, checked.
        version: Number and alias, at most one of them, checked.
        read: Reads the body.
        size: Bytes that the body counts for; its own unless given.
    """
    return Call(
        model=model,
        read=read,
        size=len(request.body) if size is None else size,
        **addressed(request, version=version[0], alias=version[1]),
    )


def check_model(name: str) -> str:
    """Return a name that a model can have.

    Raises:
        NotFound: none has such a name.
    """
    if not _MODEL.fullmatch(name):
        raise NotFound("No model has such a name.")
    return name


def check_version(version: str) -> str:
    """Return a number that a version can have.

    Raises:
        NotFound: none has such a number.
    """
    if not _VERSION.fullmatch(version):
        raise NotFound("A version is a whole number from 1 on.")
    return version


def check_alias(alias: str) -> str:
    """Return an alias that a version can have.

    Raises:
        NotFound: none has such an alias.
    """
    if not _ALIAS.fullmatch(alias):
        raise NotFound("No version has such an alias.")
    return alias
