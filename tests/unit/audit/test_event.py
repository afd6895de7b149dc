"""What an event may hold."""

import json

from mlplatform.audit.event import DETAIL_ITEMS, TEXT_CHARACTERS, storable


class TestStorable:
    def test_json_stays(self) -> None:
        detail = {"n": 1, "x": 1.5, "yes": True, "none": None, "list": ["a", {"b": "c"}]}

        assert storable(detail) == detail

    def test_characters_that_postgres_refuses(self) -> None:
        assert storable({"a\0": "b\0\ud800"}) == {"a\ufffd": "b\ufffd?"}

    def test_bounds(self) -> None:
        stored = storable({"text": "x" * 5000, "list": list(range(5000)), "dict": {str(n): n for n in range(5000)}})

        assert isinstance(stored, dict)
        assert [len(part) for part in stored.values()] == [TEXT_CHARACTERS, DETAIL_ITEMS, DETAIL_ITEMS]

    def test_other_types_become_text(self) -> None:
        assert json.dumps(storable({"set": {1}, "type": int})) == """{"set": [1], "type": "<class 'int'>"}"""
