"""The `Idempotency-Key` header (https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from mlplatform.idempotency.request import HEADER, RepeatableRequest, StoredResponse

REPLAYED = {"Idempotency-Replayed": "true"}


async def read_request(
    request: Request,
    key: Annotated[
        str | None,
        Header(
            alias=HEADER,
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="A unique name for this request. Sent again within 24 hours, it gets the first answer again.",
        ),
    ] = None,
) -> RepeatableRequest:
    """Describe the request by its method, path, query and body."""
    route = f"{request.method} {request.scope['route'].path}"
    target = f"{request.url.path}?{request.url.query}\0".encode()
    return RepeatableRequest(route, key, hashlib.sha256(target + await request.body()).digest())


IdempotentRequest = Annotated[RepeatableRequest, Depends(read_request)]
"""Declare it as a parameter of a route, then in the transaction that does the work:

    if (stored := await repeatable.replay(connection)) is not None:
        return replayed(stored)
    ...
    await repeatable.save(connection, 202, body)
"""


def replayed(stored: StoredResponse) -> Response:
    """Render an answer that was given before."""
    return JSONResponse(stored.body, status_code=stored.status, headers=REPLAYED)
