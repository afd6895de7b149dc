"""Events: written to an outbox with the change they tell of, relayed to Redis Streams, handled at least once."""

from mlplatform.events.background import running
from mlplatform.events.beat import Beat, beside
from mlplatform.events.cloud_event import CloudEvent, EventData
from mlplatform.events.consumer import StreamConsumer
from mlplatform.events.outbox import enqueue, enqueue_all
from mlplatform.events.relay import OutboxRelay
from mlplatform.events.schemas import (
    BulkReindexRequest,
    IndexUpdated,
    ItemRef,
    ModelPromoted,
    PromotionAnnounced,
    ReindexRequest,
    TrafficChanged,
)
from mlplatform.events.tail import StreamTail

__all__ = [
    "Beat",
    "BulkReindexRequest",
    "CloudEvent",
    "EventData",
    "IndexUpdated",
    "ItemRef",
    "ModelPromoted",
    "OutboxRelay",
    "PromotionAnnounced",
    "ReindexRequest",
    "StreamConsumer",
    "StreamTail",
    "TrafficChanged",
    "beside",
    "enqueue",
    "enqueue_all",
    "running",
]
