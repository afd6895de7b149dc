"""Many items in one request."""

from datetime import datetime
from email.message import Message
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field

from mlplatform.auth import Permission, Principal, require
from mlplatform.errors import UnsupportedMediaType
from mlplatform.service.json_route import ServiceRouter
from services.search.bulk.encoding import check_coding, decoded
from services.search.bulk.response import MEDIA_TYPE, UploadResponse
from services.search.bulk.uploads import Uploads
from services.search.routes.dependencies import get_uploads

PATH = "/api/v1/index/bulk"
MEDIA_TYPES = frozenset({MEDIA_TYPE, "application/ndjson", "application/jsonl", "application/jsonlines"})
NAME = r"^[\x21-\x7e]+$"
EXAMPLE = '{"entity_type": "note", "entity_id": "1", "text": "The curve inverted.", "tags": ["rates"]}\n'
REQUEST: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An item a line, as in `POST /api/v1/index`; may be sent with Content-Encoding: gzip.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}
ANSWER = '{"line":2,"errors":[{"field":"text","message":"Field required"}]}\n{"acknowledged":2,"stored":1,"failed":1}\n'
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What became of the lines, while they come in; the last line has a `status`.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": ANSWER}},
    }
}

router = ServiceRouter(prefix="/api/v1/index", tags=["index"])


class UploadState(BaseModel):
    """How far an upload is stored."""

    upload: str
    acknowledged: Annotated[int, Field(description="Up to this line, what became of each is final.")]
    stored: Annotated[int, Field(description="Lines whose item is stored.")]
    failed: Annotated[int, Field(description="Lines that are wrong. The others are empty.")]
    failed_lines: Annotated[list[int], Field(description="Numbers of the wrong lines.")]
    complete: Annotated[bool, Field(description="Whether the last line was read.")]
    updated_at: datetime


@router.post(
    "/bulk", summary="Add items by the thousand", response_class=Response, openapi_extra=REQUEST, responses=RESPONSES
)
async def upload_items(
    request: Request,
    principal: Annotated[Principal, require(Permission.INDEX)],
    uploads: Annotated[Uploads, Depends(get_uploads)],
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern=NAME,
            description="A name for this upload. The same body sent again goes on where it ended.",
        ),
    ] = None,
) -> Response:
    """Store lines while they come in; a wrong line fails alone.

    Each `acknowledged` says that everything up to that line is stored for good or refused, whatever happens to the
    connection or to the service. Items are found once they are embedded.
    """
    _check_media_type(request.headers.get("content-type", ""))
    coding = request.headers.get("content-encoding", "")
    check_coding(coding)
    name = key or str(uuid4())
    upload = await uploads.open(principal.tenant, name)
    return UploadResponse(uploads, upload, name, decoded(request.stream(), coding))


@router.get("/bulk", summary="Read how far an upload is stored")
async def read_upload(
    upload: Annotated[
        str, Query(min_length=1, max_length=255, pattern=NAME, description="Its Idempotency-Key or Upload-Id.")
    ],
    principal: Annotated[Principal, require(Permission.READ)],
    uploads: Annotated[Uploads, Depends(get_uploads)],
) -> UploadState:
    """Say which lines of an upload are stored, for a client whose connection broke; known for seven days."""
    return UploadState.model_validate(await uploads.find(principal.tenant, upload))


def _check_media_type(value: str) -> None:
    header = Message()
    header["content-type"] = value or "none"
    charset = str(header.get_param("charset", "utf-8")).lower()
    if value and header.get_content_type() in MEDIA_TYPES and charset in {"utf-8", "utf8"}:
        return
    raise UnsupportedMediaType(f"Send an item a line, in UTF-8, with the header Content-Type: {MEDIA_TYPE}.")
