"""The history of promotions over HTTP."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Path, Response

from mlplatform.auth import Permission, require
from mlplatform.errors import NotFound
from mlplatform.registry.ledger import Promotion
from mlplatform.service import ServiceRouter
from services.model_serving.routes.models import Cursor, Limit
from services.model_serving.schemas import PromotionEntry, PromotionPage
from services.model_serving.serving import ServingParts

router = ServiceRouter(
    prefix="/api/v1/models/{name}/promotions", tags=["promotions"], dependencies=[require(Permission.READ)]
)

BIGGEST_ID = 2**63 - 1
PromotionId = Annotated[int, Path(ge=1, le=BIGGEST_ID)]
REPORT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The findings of each gate.", "content": {"application/json": {"schema": {"type": "object"}}}}
}


@router.get("", summary="List promotions of a model")
async def list_promotions(name: str, serving: ServingParts, limit: Limit = 50, cursor: Cursor = None) -> PromotionPage:
    """List who moved which version where, newest first; failed ones are listed too."""
    promotions, following = await serving.ledger.list(name, limit=limit, cursor=cursor)
    return PromotionPage(promotions=[_entry(promotion) for promotion in promotions], next_cursor=following)


@router.get("/{promotion_id}/report", summary="Read a gate report", responses=REPORT, response_class=Response)
async def read_report(name: str, promotion_id: PromotionId, serving: ServingParts) -> Response:
    """Read what the gates found before a promotion."""
    promotion = await serving.ledger.get(name, promotion_id)
    if promotion is None or promotion.gate_report_uri is None:
        raise NotFound("There is no such promotion, or no gates ran for it.")
    key = urlsplit(promotion.gate_report_uri).path.removeprefix("/")
    return Response(await serving.objects.get(key), media_type="application/json")


def _entry(promotion: Promotion) -> PromotionEntry:
    return PromotionEntry(
        id=promotion.id,
        stage=promotion.stage,
        action=promotion.action,
        state=promotion.state,
        from_version=promotion.from_version,
        to_version=promotion.to_version,
        artifact_digest=promotion.artifact_digest,
        actor=promotion.actor,
        reason=promotion.reason,
        failure=promotion.failure,
        trace_id=promotion.trace_id,
        started_at=promotion.started_at,
        committed_at=promotion.committed_at,
        has_report=promotion.gate_report_uri is not None,
    )
