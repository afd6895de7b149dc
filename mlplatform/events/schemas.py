"""The types of events, and how an entry of a stream becomes one."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from mlplatform.events.cloud_event import CloudEvent, EventData


class ItemRef(BaseModel):
    """Names an item of the search index without carrying its text."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    entity_type: str = Field(min_length=1)
    """Kind of the item."""
    entity_id: str = Field(min_length=1)
    """Id within its kind."""
    content_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Digest of the text that is meant; the item may have changed since."""


class ModelPromoted(EventData):
    """A model version reached or left a stage."""

    event_type: ClassVar[str] = "ml.model.promoted.v1"

    model: str = Field(min_length=1)
    """Registered name."""
    stage: str = Field(min_length=1)
    """Staging, Production or Archived."""
    version: str = Field(min_length=1)
    """Version that the stage now has."""
    previous_version: str | None = None
    """Version that the stage had before."""
    digest: str = Field(min_length=1)
    """Digest of the version's artifacts."""
    actor: str = Field(min_length=1)
    """Who promoted it."""
    promotion_id: int
    """Row of the promotion ledger."""


class PromotionAnnounced(EventData):
    """The gates of a promotion to Production begin; whoever serves may load the version beforehand.

    A hint: the gates may refuse it yet.
    """

    event_type: ClassVar[str] = "ml.model.promotion.announced.v1"

    model: str = Field(min_length=1)
    """Registered name."""
    version: str = Field(min_length=1)
    """Version that is to be in production."""
    actor: str = Field(min_length=1)
    """Who promotes it."""


class TrafficChanged(EventData):
    """How the traffic of a model is dealt out was changed."""

    event_type: ClassVar[str] = "ml.traffic.changed.v1"

    model: str = Field(min_length=1)
    """Registered name."""
    revision: int = Field(ge=1)
    """Revision of the routing document that is in effect now."""
    action: Literal["set", "clear", "abort"]
    """How it changed; `abort` took the traffic away from a canary or an arm."""
    actor: str = Field(min_length=1)
    """Who changed it; `traffic-guard` when a rule did."""


class ReindexRequest(EventData):
    """Items whose embeddings are missing or out of date."""

    event_type: ClassVar[str] = "ml.embedding.reindex.request.v1"

    tenant: str = Field(min_length=1)
    """Owner of the items."""
    items: list[ItemRef] = Field(min_length=1)
    """Which items to embed."""


class BulkReindexRequest(ReindexRequest):
    """Items that came by the thousand and wait for their embeddings; those of `ReindexRequest` go before them."""

    event_type: ClassVar[str] = "ml.embedding.reindex.bulk.v1"


class IndexUpdated(EventData):
    """Items whose embeddings were written or deleted."""

    event_type: ClassVar[str] = "search.index.updated.v1"

    tenant: str = Field(min_length=1)
    """Owner of the items."""
    space_id: int
    """Embedding space that holds them."""
    items: list[ItemRef] = Field(min_length=1)
    """Which items changed."""
    deleted: bool
    """Whether they are gone; else they were written."""


SCHEMAS: dict[str, type[EventData]] = {
    schema.event_type: schema
    for schema in (
        ModelPromoted,
        PromotionAnnounced,
        TrafficChanged,
        ReindexRequest,
        BulkReindexRequest,
        IndexUpdated,
    )
}


def parse(document: str | bytes) -> CloudEvent:
    """Read an event and check its data against the schema of its type.

    Raises:
        ValueError: when it is no CloudEvent, or of a known type whose schema its data does not fit.
    """
    event = CloudEvent.model_validate_json(document)
    schema = SCHEMAS.get(event.type)
    if schema is not None:
        schema.model_validate(event.data)
    return event
