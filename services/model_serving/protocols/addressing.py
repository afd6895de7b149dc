"""Which version a request asks for, beside what its path or body says; the same in every protocol."""

import re
from typing import Any

from mlplatform.errors import FieldError, Unprocessable
from mlplatform.service import DirectRequest
from services.model_serving.schemas import VERSION

VERSION_HEADER = "x-model-version"
ROUTING_KEY = "x-routing-key"
LONGEST_KEY = 512


def addressed(request: DirectRequest, *, version: str | None = None, alias: str | None = None) -> dict[str, Any]:
    """Return the fields of a `Call` that say where it goes and whose it is.

    Args:
        request: its header X-Model-Version counts when neither path nor body names a version.
        version: named by the path or the body.
        alias: the same.

    Raises:
        Unprocessable: the header is no version.
    """
    if version is None and alias is None:
        version = request.headers.get(VERSION_HEADER)
        if version is not None and not re.match(VERSION, version):
            message = "must be a whole number from 1 on"
            raise Unprocessable(
                "The header X-Model-Version is not valid.", errors=[FieldError("header.X-Model-Version", message)]
            )
    return {
        "version": version,
        "alias": alias,
        "routing_key": (request.headers.get(ROUTING_KEY) or "")[:LONGEST_KEY] or None,
        "subject": f"{request.principal.tenant}/{request.principal.subject}",
        "tenant": request.principal.tenant,
        "request_id": request.request_id,
    }
