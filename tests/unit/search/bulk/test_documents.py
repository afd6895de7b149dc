import pytest

from services.search.bulk.documents import NOTHING, chained, read_document
from services.search.bulk.lines import Line
from services.search.items import Item
from services.search.settings import SearchSettings

GOOD = b'{"entity_type": "doc", "entity_id": "1", "text": "red apple", "metadata": {"n": 1}, "tags": ["t"]}'
WRONG = [
    (b"{", "line", "not valid JSON"),
    (b"\xff\xfe", "line", "not UTF-8 at byte 0"),
    (b'{"text": "caf\xe9"}', "line", "not UTF-8 at byte 13"),
    (b'{"text": "\x01"}', "line", "control characters"),
    (b'{"text": "\\ud800"}', "line", "surrogate"),
    (b'{"entity_id": NaN}', "line", "NaN"),
    (b"[" * 100_000, "line", "not valid JSON"),
    (b"[1]", "line", "no object"),
    (b"null", "line", "no object"),
    (b"{}", "entity_type", "required"),
    (GOOD.replace(b"red apple", b" "), "text", "white space"),
    (GOOD.replace(b"red apple", b"\\u0001\\u001b"), "text", "only white space and control characters"),
    (GOOD.replace(b"red apple", b"a\\u0000b"), "text", "NUL"),
    (GOOD.replace(b"red apple", b"x" * 11), "text", "at most 10"),
    (GOOD.replace(b'{"n": 1}', b'{"n": "' + b"x" * 40 + b'"}'), "metadata", "at most 30"),
    (GOOD.replace(b'{"n": 1}', b'{"a":' * 10 + b"1" + b"}" * 10), "metadata", "nested"),
    (GOOD.replace(b'{"n": 1}', b"7"), "metadata", "dictionary"),
    (GOOD.replace(b'"tags"', b'"more": 1, "tags"'), "more", "not permitted"),
]


@pytest.fixture
def settings() -> SearchSettings:
    return SearchSettings(search_text_characters=10, search_metadata_size=30)


class TestReadDocument:
    def test_an_item(self, settings):
        document = read_document(Line(3, GOOD), NOTHING, settings)

        assert (document.number, document.item, document.errors) == (
            3,
            Item("doc", "1", "red apple", {"n": 1}, ["t"]),
            (),
        )

    def test_a_carriage_return_is_no_fault(self, settings):
        assert read_document(Line(1, GOOD + b"\r"), NOTHING, settings).item is not None

    @pytest.mark.parametrize("content", [b"", b" \t\r"])
    def test_an_empty_line_is_neither_an_item_nor_wrong(self, settings, content):
        document = read_document(Line(1, content), NOTHING, settings)

        assert (document.item, document.errors) == (None, ())

    @pytest.mark.parametrize(("content", "field", "message"), WRONG)
    def test_what_is_wrong_is_named(self, settings, content, field, message):
        document = read_document(Line(1, content), NOTHING, settings)

        assert document.item is None
        assert document.errors[0].field.startswith(field)
        assert message in document.errors[0].message

    def test_a_line_that_was_too_long_is_wrong(self, settings):
        document = read_document(Line(1, None), NOTHING, settings)

        assert (document.item, [error.field for error in document.errors]) == (None, ["line"])

    def test_an_error_does_not_repeat_the_text(self, settings):
        document = read_document(Line(1, GOOD.replace(b'"doc"', b'"secret words"')), NOTHING, settings)

        assert "secret" not in str(document.errors)


class TestChained:
    def test_it_tells_texts_and_their_order_apart(self):
        def digest(*contents: bytes | None) -> bytes:
            state = NOTHING
            for number, content in enumerate(contents, start=1):
                state = chained(state, Line(number, content))
            return state

        assert digest(b"a", b"b") == digest(b"a", b"b")
        assert len({digest(b"a", b"b"), digest(b"b", b"a"), digest(b"ab"), digest(b"a", b"b", b"")}) == 4
