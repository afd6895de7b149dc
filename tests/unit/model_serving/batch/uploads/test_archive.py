"""Archives are refused by what their directory says, before anything is unpacked."""

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplatform.errors import PlatformError
from services.model_serving.batch.uploads.archive import LOCAL, Archive, list_archive
from services.model_serving.batch.uploads.errors import BadArchive, FileError, UploadTooLarge
from services.model_serving.batch.uploads.limits import MIB, Limits
from tests.unit.model_serving.batch.uploads.corpus import (
    encrypted,
    link,
    lying,
    overlapping,
    packed,
    packed_as,
    picture,
)

LIMITS = Limits(file_size=MIB, total_size=2 * MIB, archive_entries=50)


ARCHIVE = packed({"a.txt": b"1"})
# By names: an archive holds the time when it was made, and would be another test in each process of a run.
BROKEN = {
    "GIF and archive": b"GIF89a" + ARCHIVE,
    "PNG and archive": picture("PNG") + ARCHIVE,
    "archive and script": ARCHIVE + b"<script>",
    "two archives": ARCHIVE + packed({"b.txt": b"1"}),
    "without the last byte": ARCHIVE[:-1],
    "without the end of the directory": ARCHIVE[:-30],
    "without the directory": ARCHIVE[:40],
    "nothing in it": packed({}),
    "only a folder": packed({"folder/": b""}),
    "only a signature": b"PK\x03\x04",
    "only an end that is cut": b"PK\x05\x06" + bytes(17),
    "only an end that lies": b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff" + b"\xff" * 8 + bytes(2),
}


class Tape(io.BytesIO):
    """Counts what is read of an archive."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self.total += len(found)
        return found


FAILURES = frozenset({"encrypted", "bad_compression", "broken_archive", "too_large"})


def outcome(content: bytes) -> set[str]:
    """Say what becomes of an archive, and of each of its files."""
    file = io.BytesIO(content)
    try:
        entries = list_archive(file, LIMITS)
    except PlatformError as error:
        return {error.code}
    return {outcome_of(file, entry.place) for entry in entries}


def outcome_of(file: io.BytesIO, place: int) -> str:
    try:
        content = Archive(file, LIMITS).read(place)
    except FileError as error:
        return error.code
    return "read" if len(content) <= LIMITS.file_size else "more than it may"


def list_of(content: bytes, limits: Limits = LIMITS) -> list[str]:
    return [entry.name for entry in list_archive(io.BytesIO(content), limits)]


class TestList:
    def test_files_in_their_order(self) -> None:
        content = packed({"b.txt": b"1", "folder/": b"", "folder/a.txt": b"22", "ä ö.txt": b"3"})
        entries = list_archive(io.BytesIO(content), LIMITS)
        assert [(one.name, one.size) for one in entries] == [("b.txt", 1), ("folder/a.txt", 2), ("ä ö.txt", 1)]
        assert [Archive(io.BytesIO(content), LIMITS).read(one.place) for one in entries] == [b"1", b"22", b"3"]

    def test_names_as_people_and_their_programs_give_them(self) -> None:
        names = [
            "Screenshot at 9.41\u202fAM.txt",
            "👩\u200d🔬.txt",
            "\u05d0\u200f(1).txt",
            "\u3000.txt",
            "a\u00a0b.txt",
        ]
        assert list_of(packed(dict.fromkeys(names, b"1"))) == names

    def test_what_desktops_add_is_left_out(self) -> None:
        assert list_of(packed({"a.txt": b"1", "__MACOSX/._a.txt": b"2", "x/.DS_Store": b"3"})) == ["a.txt"]

    @pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
    def test_a_name_may_be_there_twice(self) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.txt", b"1")
            archive.writestr("a.txt", b"2")
        entries = list_archive(buffer, LIMITS)
        assert [Archive(buffer, LIMITS).read(entry.place) for entry in entries] == [b"1", b"2"]

    def test_with_a_comment(self) -> None:
        buffer = io.BytesIO(packed({"a.txt": b"1"}))
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.comment = b"c" * 60_000
        assert list_of(buffer.getvalue()) == ["a.txt"]


class TestLimits:
    def test_many_entries_are_not_even_read(self) -> None:
        tape = Tape(packed({f"{number}.txt": b"" for number in range(10_000)}))
        with pytest.raises(UploadTooLarge, match="10000 entries"):
            list_archive(tape, LIMITS)
        assert tape.total < 70_000

    def test_a_directory_larger_than_its_number_of_entries(self) -> None:
        content = bytearray(packed({f"{number}.txt": b"" for number in range(10_000)}))
        struct.pack_into("<HH", content, len(content) - 14, 50, 50)
        with pytest.raises(BadArchive, match="directory"):
            list_of(bytes(content))

    @pytest.mark.parametrize("told", [0, 1, 2, 4])
    def test_a_directory_with_other_entries_than_the_archive_says(self, told: int) -> None:
        content = bytearray(packed({f"{number}.txt": b"" for number in range(3)}))
        struct.pack_into("<HH", content, len(content) - 14, told, told)
        with pytest.raises(BadArchive, match="directory"):
            list_of(bytes(content))

    def test_many_short_entries_where_few_are_told(self) -> None:
        content = bytearray(packed({str(number): b"" for number in range(100)}))
        struct.pack_into("<HH", content, len(content) - 14, 1, 1)
        with pytest.raises(BadArchive, match="entries"):
            list_of(bytes(content))

    def test_a_file_that_unpacks_to_much(self) -> None:
        with pytest.raises(UploadTooLarge, match="more than 1 MB"):
            list_of(packed({"a.txt": bytes(MIB + 1)}))

    def test_files_that_unpack_to_much_together(self) -> None:
        with pytest.raises(UploadTooLarge, match="more than 2 MB"):
            list_of(packed({f"{number}.txt": bytes(MIB) for number in range(3)}))

    def test_a_ratio_that_no_file_has(self) -> None:
        with pytest.raises(UploadTooLarge, match="times its size"):
            list_of(packed({"a.txt": bytes(2 * MIB)}), Limits())

    def test_entries_that_share_their_bytes(self) -> None:
        with pytest.raises(BadArchive, match="overlap"):
            list_of(overlapping(40, 1000))


class TestHarm:
    @pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "C:\\a", "c:a", "a\\..\\b", "a\nb", "a\x1bb"])
    def test_names_that_lead_elsewhere(self, name: str) -> None:
        info = zipfile.ZipInfo("x" * len(name))
        content = packed_as(info).replace(b"x" * len(name), name.encode(), 2)
        with pytest.raises(BadArchive, match="name"):
            list_of(content)

    @pytest.mark.parametrize("name", ["a\u0085.txt", "a\u202etxt.exe", "\u2066a.txt"])
    def test_names_that_look_like_others(self, name: str) -> None:
        with pytest.raises(BadArchive, match="control characters"):
            list_of(packed({name: b"1"}))

    def test_a_file_without_a_name(self) -> None:
        with pytest.raises(BadArchive, match="no name"):
            list_of(packed_as(zipfile.ZipInfo("")))

    def test_a_name_with_a_hole(self) -> None:
        content = packed({"a.txt_.png": b"1"}).replace(b"a.txt_.png", b"a.txt\x00.png")
        with pytest.raises(BadArchive, match="name"):
            list_of(content)

    def test_links(self) -> None:
        with pytest.raises(BadArchive, match="link"):
            list_of(link())

    def test_what_the_name_of_a_file_says_of_it_counts_for_nothing(self) -> None:
        assert list_of(packed({"b.txt": b"1", "a.zip": b"2"})) == ["b.txt", "a.zip"]

    @pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
    def test_what_is_broken_or_two_things_at_once(self, content: bytes) -> None:
        with pytest.raises((BadArchive, UploadTooLarge)):
            list_of(content)

    def test_zip64(self) -> None:
        made = packed({"a.txt": b"1"})
        end = made.index(b"PK\x05\x06")
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
        with pytest.raises(BadArchive, match="ZIP64"):
            list_of(made[:end] + locator + made[end:])

    @given(st.data())
    def test_any_byte_may_be_another_one(self, data: st.DataObject) -> None:
        content = bytearray(packed({"a.txt": b"1" * 50, "b.txt": b"2"}))
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        assert outcome(bytes(content)) <= {"bad_archive", "upload_too_large", "read", *FAILURES}


class TestEntry:
    def test_an_encrypted_file_fails_alone(self) -> None:
        content = encrypted()
        (entry,) = list_archive(io.BytesIO(content), LIMITS)
        with pytest.raises(FileError, match="password"):
            Archive(io.BytesIO(content), LIMITS).read(entry.place)

    def test_a_header_whose_name_is_no_text(self) -> None:
        content = bytearray(packed({"zwölf.txt": b"1"}))
        content[LOCAL] = 0xFF  # the name of the directory stays
        (entry,) = list_archive(io.BytesIO(content), LIMITS)
        with pytest.raises(FileError, match="broken"):
            Archive(io.BytesIO(content), LIMITS).read(entry.place)

    def test_a_file_packed_otherwise(self) -> None:
        content = packed({"a.txt": b"1"}, method=zipfile.ZIP_BZIP2)
        with pytest.raises(FileError, match="deflate"):
            Archive(io.BytesIO(content), LIMITS).read(0)

    def test_a_directory_that_lies_about_the_size(self) -> None:
        """The size that was promised is all that is unpacked."""
        content = lying(bytes(100 * MIB), 1000)
        (entry,) = list_archive(io.BytesIO(content), LIMITS)
        assert entry.size == 1000
        with pytest.raises(FileError, match="broken"):
            Archive(io.BytesIO(content), LIMITS).read(entry.place)

    def test_a_wrong_sum(self) -> None:
        content = packed({"a.txt": b"1234567890"}, method=zipfile.ZIP_STORED).replace(b"1234567890", b"1234567899")
        with pytest.raises(FileError, match="broken"):
            Archive(io.BytesIO(content), LIMITS).read(0)
