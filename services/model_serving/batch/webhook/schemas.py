"""The wire types of webhooks."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field


class WebhookDelivery(BaseModel):
    """What became of telling a receiver of the end of a job."""

    id: UUID = Field(description="In the header `ML-Webhook-Id` and in the body; the same at each attempt.")
    url: str
    state: Literal["pending", "delivered", "given_up"]
    attempts: int
    error: str | None = Field(description="Why the last attempt failed.")
    created_at: datetime
    due_at: datetime | None = Field(description="When the next attempt is made.")
    finished_at: datetime | None


class WebhookDeliveries(BaseModel):
    """Newest first; a job that was retried ends more than once."""

    deliveries: list[WebhookDelivery]


class WebhookKey(BaseModel):
    """What a receiver checks signatures with."""

    key: str = Field(description="As text the key of HMAC-SHA256.")
