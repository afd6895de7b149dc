"""The envelope of every event: CloudEvents 1.0 in the JSON format."""

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class EventData(BaseModel):
    """The payload of one type of event; consumers ignore fields that a newer publisher added."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    event_type: ClassVar[str]
    """The CloudEvents `type`, which is also the name of the stream."""

    @classmethod
    def from_event(cls, event: "CloudEvent") -> Self:
        """Return the payload of `event`.

        Raises:
            ValueError: when the event is of another type, or its data does not fit.
        """
        if event.type != cls.event_type:
            raise ValueError(f"event {event.id} is a {event.type}, not a {cls.event_type}")
        return cls.model_validate(event.data)


class CloudEvent(BaseModel):
    """An event as it stands in the outbox and on the stream.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md; `traceparent` and `tracestate`
    are its distributed tracing extension.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    specversion: Literal["1.0"]
    """Version of CloudEvents."""
    id: str = Field(min_length=1, max_length=255)
    """Unique for each event; a redelivered event keeps it, so that consumers can tell."""
    source: str = Field(min_length=1)
    """Which service or script published it."""
    type: str = Field(min_length=1)
    """What happened, with the version of the data's schema."""
    subject: str | None = None
    """What it happened to."""
    time: AwareDatetime
    """When it happened."""
    datacontenttype: Literal["application/json"]
    """Encoding of the data."""
    data: dict[str, Any]
    """The payload; its schema goes by `type`."""
    traceparent: str | None = None
    """W3C trace context of the publisher."""
    tracestate: str | None = None
    """W3C trace state of the publisher."""

    @classmethod
    def of(cls, data: EventData, *, source: str, subject: str | None = None) -> Self:
        """Wrap `data` in an envelope with a fresh id and the present time."""
        return cls(
            specversion="1.0",
            id=str(uuid4()),
            source=source,
            type=data.event_type,
            subject=subject,
            time=datetime.now(UTC),
            datacontenttype="application/json",
            data=data.model_dump(mode="json"),
        )

    def document(self) -> dict[str, Any]:
        """Return the event as the JSON object that is published."""
        return self.model_dump(mode="json", exclude_none=True)
