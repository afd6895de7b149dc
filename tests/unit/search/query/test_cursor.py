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
        cursor = Cursor("query", RANKING, 20, 100)

        assert Cursor.read(cursor.write(), "query") == cursor

    def test_of_another_query_is_refused(self):
        with pytest.raises(CursorRefused) as refused:
            Cursor.read(Cursor("query", RANKING, 20, 100).write(), "other")

        assert "another query" in refused.value.errors[0].message

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "!",
            "é",
            "bm9uZQ==",
            encoded(),
            encoded(2, "query", RANKING, 1),
            encoded(1, "query", RANKING, 1, 100),
            encoded(2, "query", RANKING, -1, 100),
            encoded(2, "query", RANKING, 10_001, 100),
            encoded(2, "query", RANKING, 1.5, 100),
            encoded(2, "query", RANKING, True, 100),
            encoded(2, "query", RANKING, 1, 0),
            encoded(2, "query", RANKING, 1, 1001),
            encoded(2, "query", RANKING, 1, "100"),
            encoded(2, "query", "../other", 1, 100),
            encoded(2, ["query"], RANKING, 1, 100),
            encoded(2, "query", None, 1, 100),
        ],
    )
    def test_anything_else_is_refused(self, text):
        with pytest.raises(CursorRefused):
            Cursor.read(text, "query")
