"""Cursors of lists that MLflow pages."""

import pytest

from mlplatform.errors import InvalidCursor
from services.model_serving.catalog.cursor import START, seal, unseal


class TestCursor:
    def test_comes_back_as_the_token_it_was_made_of(self):
        for name in ("curves", "yield curves", "größe"):
            assert unseal(seal("eyJvZmZzZXQiOiAyfQ==", name)) == ("eyJvZmZzZXQiOiAyfQ==", name)

    def test_none_is_the_first_page(self):
        assert seal(None, "curves") is None
        assert unseal(None) == START

    @pytest.mark.parametrize("cursor", ["", "0" * 16, "µ", "eyJvZmZzZXQiOiAyfQ==", "not base64!", "AAAAAAAA"])
    def test_one_that_somebody_made_up_is_refused(self, cursor: str):
        with pytest.raises(InvalidCursor):
            unseal(cursor)
