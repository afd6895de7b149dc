"""Labels over HTTP."""

from typing import Annotated

from mlplatform.auth import Permission, Principal, require
from mlplatform.service import ServiceRouter
from services.model_serving.monitoring.labels.schemas import FeedbackRequest, FeedbackResponse
from services.model_serving.serving import ServingParts

router = ServiceRouter(prefix="/api/v1", tags=["monitoring"])

ACCEPTED = 200


@router.post("/feedback", summary="Send labels for predictions")
async def give_feedback(
    feedback: FeedbackRequest, serving: ServingParts, principal: Annotated[Principal, require(Permission.PREDICT)]
) -> FeedbackResponse:
    """Store what came of predictions: the truth as `label` or `labels`, or what it was worth as `value`.

    A prediction is named by the `X-Request-ID` of its answer. Only logged predictions can be labelled. Each item is
    stored or not by itself, and an item that is sent again changes nothing.
    """
    results = await serving.monitoring.feedback.take(principal.tenant, feedback.items)
    accepted = sum(result.code == ACCEPTED for result in results)
    return FeedbackResponse(accepted=accepted, refused=len(results) - accepted, results=results)
