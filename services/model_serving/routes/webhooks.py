"""What became of the webhooks of jobs."""

from typing import Annotated
from uuid import UUID

from mlplatform.auth import Permission, Principal, require
from mlplatform.service import ServiceRouter
from services.model_serving.batch.webhook.schemas import WebhookDeliveries, WebhookDelivery, WebhookKey
from services.model_serving.serving import ServingParts

router = ServiceRouter(prefix="/api/v1", tags=["jobs"])


@router.get("/jobs/{job}/webhooks", summary="See whether a receiver was told of a job's end")
async def list_deliveries(
    job: UUID, principal: Annotated[Principal, require(Permission.PREDICT)], serving: ServingParts
) -> WebhookDeliveries:
    """List the deliveries of a job of the caller's tenant, newest first."""
    await serving.batch.jobs.find(principal.tenant, job)
    rows = await serving.batch.webhooks.of_job(principal.tenant, job)
    return WebhookDeliveries(deliveries=[WebhookDelivery(**row) for row in rows])


@router.get("/webhook-key", summary="Read the key of webhooks")
async def read_key(principal: Annotated[Principal, require(Permission.KEYS)], serving: ServingParts) -> WebhookKey:
    """Read the key that the webhooks of the caller's tenant are signed with."""
    return WebhookKey(key=await serving.batch.webhooks.read_key(principal))
