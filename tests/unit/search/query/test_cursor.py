import base64

import orjson
import pytest

from services.search.errors import CursorRefused
from services.search.query.cursor import Cursor

RANKING = "0" * 32


def encoded(*parts: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode()


class TestCursor:
    def test_is_read_as_it_was_written(self):
        cursor = Cursor("query", RANKING, 20)

        assert Cursor.read(cursor.write(), "query") == cursor

    def test_of_another_query_is_refused(self):
        with pytest.raises(CursorRefused) as refused:
            Cursor.read(Cursor("query", RANKING, 20).write(), "other")

        assert "another query" in refused.value.errors[0].message

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "!",
            "é",
            "bm9uZQ==",
            encoded(),
            encoded(1, "query", RANKING),
            encoded(2, "query", RANKING, 1),
            encoded(1, "query", RANKING, -1),
            encoded(1, "query", RANKING, 10_001),
            encoded(1, "query", RANKING, 1.5),
            encoded(1, "query", RANKING, True),
            encoded(1, "query", "../other", 1),
            encoded(1, ["query"], RANKING, 1),
            encoded(1, "query", None, 1),
        ],
    )
    def test_anything_else_is_refused(self, text):
        with pytest.raises(CursorRefused):
            Cursor.read(text, "query")
