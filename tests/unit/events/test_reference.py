from pathlib import Path

import jsonschema_rs
import orjson
import pytest

from mlplatform.events import CloudEvent, ItemRef, ReindexRequest
from mlplatform.events.reference import documents, main, schema_of

COMMITTED = Path(__file__).parents[3] / "docs" / "events"
ITEM = ItemRef(entity_type="note", entity_id="1", content_sha256="0" * 64)


class TestCommittedDocuments:
    def test_are_up_to_date(self) -> None:
        committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.iterdir()}
        assert committed == documents(), "run: python -m mlplatform.events.reference docs/events"


class TestMain:
    def test_writes_every_document(self, tmp_path: Path) -> None:
        main([str(tmp_path / "events")])
        assert {path.name for path in (tmp_path / "events").iterdir()} == set(documents())


class TestSchemaOf:
    def test_accepts_what_is_published(self) -> None:
        published = CloudEvent.of(ReindexRequest(tenant="acme", items=[ITEM]), source="search").document()
        jsonschema_rs.validate(schema_of(ReindexRequest), orjson.loads(orjson.dumps(published)))

    def test_refuses_another_type(self) -> None:
        published = CloudEvent.of(ReindexRequest(tenant="acme", items=[ITEM]), source="search").document()
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(schema_of(ReindexRequest), published | {"type": "other.v1"})
