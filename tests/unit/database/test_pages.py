"""Pages of rows that are ordered by a number."""

import pytest

from mlplatform.database.pages import cut_page, read_cursor
from mlplatform.errors import InvalidCursor

ROWS = [{"id": number} for number in (7, 5, 4)]


class TestReadCursor:
    def test_of_the_first_page_and_of_another(self) -> None:
        assert read_cursor(None) is None
        assert read_cursor("12") == 12

    @pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "²", "9" * 19])
    def test_that_no_list_gave_is_refused(self, cursor: str) -> None:
        with pytest.raises(InvalidCursor):
            read_cursor(cursor)


class TestCutPage:
    def test_names_the_next_page_only_where_there_is_one(self) -> None:
        assert cut_page(ROWS, 2, "id") == (ROWS[:2], "5")
        assert cut_page(ROWS, 3, "id") == (ROWS, None)
        assert cut_page([], 3, "id") == ([], None)
