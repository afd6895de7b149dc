"""Texts are UTF-8, and text."""

import pytest

from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.batch.uploads.limits import Limits
from services.model_serving.batch.uploads.text import read_text


class TestRead:
    def test_it_is_what_was_written(self) -> None:
        assert read_text("\ufeffgrüße\r\n".encode(), Limits()) == "grüße\r\n"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "empty"),
            (b" \n\t", "empty"),
            ("grüße".encode("latin-1"), "not_utf8"),
            (b"ab\xe2\x82", "not_utf8"),
            (b"\xed\xa0\x80", "not_utf8"),
            (b"\xc0\xaf", "not_utf8"),
            (b"a\x00b", "not_text"),
            (b"a\x1b[2Jb", "not_text"),
            (b"a" * 11, "text_too_long"),
        ],
    )
    def test_what_is_no_text_says_why(self, content: bytes, code: str) -> None:
        with pytest.raises(FileError) as caught:
            read_text(content, Limits(text_characters=10))
        assert caught.value.code == code
