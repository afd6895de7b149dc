"""The history of promotions over HTTP."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Path, Query, Response

from mlplatform.auth import Permission, require
from mlplatform.errors import NotFound
from mlplatform.registry.report import page_key
from mlplatform.service import ServiceRouter
from services.model_serving.routes.history import render_approval, render_promotion
from services.model_serving.routes.models import Cursor, Limit
from services.model_serving.schemas import ApprovalPage, PromotionPage
from services.model_serving.serving import ServingParts

router = ServiceRouter(prefix="/api/v1/models/{name}", tags=["promotions"], dependencies=[require(Permission.READ)])

BIGGEST_ID = 2**63 - 1
PromotionId = Annotated[int, Path(ge=1, le=BIGGEST_ID)]
Format = Annotated[Literal["json", "html"], Query(description="A document, or a page for people.")]
TYPES = {"json": "application/json", "html": "text/html; charset=utf-8"}
# The page holds names and messages that users chose: were one of them ever markup, nothing would run or be loaded.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
REPORT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The findings of each gate.",
        "content": {"application/json": {"schema": {"type": "object"}}, "text/html": {"schema": {"type": "string"}}},
    }
}


@router.get("/promotions", summary="List promotions of a model")
async def list_promotions(name: str, serving: ServingParts, limit: Limit = 50, cursor: Cursor = None) -> PromotionPage:
    """List who moved which version where, newest first; failed ones are listed too."""
    promotions, following = await serving.ledger.list(name, limit=limit, cursor=cursor)
    return PromotionPage(promotions=[render_promotion(promotion) for promotion in promotions], next_cursor=following)


@router.get(
    "/promotions/{promotion_id}/report", summary="Read a gate report", responses=REPORT, response_class=Response
)
async def read_report(
    name: str,
    promotion_id: PromotionId,
    serving: ServingParts,
    format: Format = "json",  # noqa: A002 - the name in the URL
) -> Response:
    """Read what the gates found before a promotion."""
    promotion = await serving.ledger.get(name, promotion_id)
    if promotion is None or promotion.gate_report_uri is None:
        raise NotFound("There is no such promotion, or no gates ran for it.")
    key = urlsplit(promotion.gate_report_uri).path.removeprefix("/")
    content = await serving.objects.get(page_key(key) if format == "html" else key)
    return Response(content, media_type=TYPES[format], headers=HEADERS)


@router.get("/approvals", summary="List approvals of a model's versions")
async def list_approvals(name: str, serving: ServingParts, limit: Limit = 50, cursor: Cursor = None) -> ApprovalPage:
    """List who approved, rejected or took back what, newest first; expired approvals are listed too."""
    approvals, following = await serving.approvals.list(name, limit=limit, cursor=cursor)
    return ApprovalPage(approvals=[render_approval(approval) for approval in approvals], next_cursor=following)
