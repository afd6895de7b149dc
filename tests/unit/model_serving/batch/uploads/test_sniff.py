"""What a file is told by is its content."""

import pytest

from services.model_serving.batch.uploads.sniff import HEAD, Media, describe, sniff
from tests.unit.model_serving.batch.uploads.corpus import packed, picture


class TestSniff:
    @pytest.mark.parametrize(
        ("content", "media"),
        [
            (picture("PNG"), Media.PNG),
            (picture("JPEG"), Media.JPEG),
            (picture("GIF"), Media.GIF),
            (picture("BMP"), Media.BMP),
            (picture("WEBP"), Media.WEBP),
            (packed({"a.txt": b"a"}), Media.ZIP),
            (packed({}), Media.ZIP),
            (b"good morning\n", Media.TEXT),
            ("\ufeffgrüße".encode(), Media.TEXT),
            (b"BM is not what begins an image here", Media.TEXT),
            (b"MZ is not what begins a program here", Media.TEXT),
            (b"GIF", Media.TEXT),
            (b"<svg onload=alert(1)>", Media.TEXT),
        ],
    )
    def test_by_content(self, content: bytes, media: Media) -> None:
        assert sniff(content[:HEAD]) is media

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b"", "empty"),
            (b"%PDF-1.7\n", "a PDF document"),
            (b"MZ\x90\x00\x03", "a Windows program"),
            (b"\x7fELF\x02\x01", "a Linux program"),
            (b"\x1f\x8b\x08\x00", "compressed by gzip"),
            (b"PAR1\x15\x04", "a Parquet table"),
            ("grüße".encode("utf-16"), "text in UTF-16"),
            ("grüße".encode("latin-1"), "neither an image, UTF-8 text nor a zip"),
            (b"text\x00with a hole", "neither an image, UTF-8 text nor a zip"),
            (b"RIFF\x00\x00\x00\x00WAVE", "neither an image, UTF-8 text nor a zip"),
            (b"\x80\x04\x95\x10", "a Python pickle"),
        ],
    )
    def test_what_is_not_taken_has_a_name(self, content: bytes, name: str) -> None:
        assert sniff(content) is None
        assert describe(content) == name

    @pytest.mark.parametrize("cut", range(1, 5))
    def test_a_character_may_be_cut_where_the_head_ends_and_nowhere_else(self, cut: int) -> None:
        text = b"a" * (HEAD - cut) + "😀".encode()
        assert sniff(text[:HEAD]) is Media.TEXT
        assert (sniff(text[: HEAD - 1]) is Media.TEXT) == (cut == 1)

    def test_a_file_that_is_two_things_is_what_it_begins_as(self) -> None:
        assert sniff((picture("GIF") + packed({"a": b"a"}))[:HEAD]) is Media.GIF
        assert sniff((b"%PDF-1.7" + picture("PNG"))[:HEAD]) is None
