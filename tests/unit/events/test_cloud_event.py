from datetime import UTC, datetime

import orjson
import pytest
from pydantic import ValidationError

from mlplatform.events import CloudEvent, IndexUpdated, ItemRef, ReindexRequest
from mlplatform.events.schemas import parse

ITEM = ItemRef(entity_type="note", entity_id="1", content_sha256="0" * 64)
DATA = ReindexRequest(tenant="acme", items=[ITEM])


def document(**changes: object) -> dict[str, object]:
    return CloudEvent.of(DATA, source="search").document() | changes


def encoded(event: dict[str, object]) -> bytes:
    return orjson.dumps(event)


class TestOf:
    def test_wraps_data_under_its_type(self) -> None:
        event = CloudEvent.of(DATA, source="search", subject="acme")
        assert (event.type, event.source, event.subject) == ("ml.embedding.reindex.request.v1", "search", "acme")
        assert event.time.tzinfo is not None
        assert abs((datetime.now(UTC) - event.time).total_seconds()) < 60

    def test_gives_each_event_an_id_of_its_own(self) -> None:
        assert CloudEvent.of(DATA, source="search").id != CloudEvent.of(DATA, source="search").id


class TestDocument:
    def test_leaves_out_what_the_event_does_not_have(self) -> None:
        assert set(document()) == {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}

    def test_survives_the_stream(self) -> None:
        event = CloudEvent.of(DATA, source="search")
        assert parse(encoded(event.document())) == event


class TestParse:
    def test_refuses_what_is_no_event(self) -> None:
        with pytest.raises(ValueError, match="JSON"):
            parse(b"not json")

    def test_refuses_a_time_without_a_zone(self) -> None:
        with pytest.raises(ValidationError, match="timezone"):
            parse(encoded(document(time="2026-01-01T00:00:00")))

    def test_refuses_data_that_does_not_fit_its_type(self) -> None:
        with pytest.raises(ValidationError, match="content_sha256"):
            parse(
                encoded(
                    document(
                        data={
                            "tenant": "acme",
                            "items": [{"entity_type": "n", "entity_id": "1", "content_sha256": "zz"}],
                        }
                    )
                )
            )

    def test_accepts_a_field_that_a_newer_publisher_added(self) -> None:
        newer = document(data={**DATA.model_dump(), "priority": "high"})
        assert ReindexRequest.from_event(parse(encoded(newer))) == DATA

    def test_accepts_a_type_that_it_does_not_know(self) -> None:
        assert parse(encoded(document(type="other.v1", data={"free": 1}))).data == {"free": 1}


class TestFromEvent:
    def test_refuses_an_event_of_another_type(self) -> None:
        with pytest.raises(ValueError, match=r"not a search\.index\.updated\.v1"):
            IndexUpdated.from_event(CloudEvent.of(DATA, source="search"))
