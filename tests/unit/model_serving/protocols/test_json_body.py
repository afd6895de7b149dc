"""JSON without the silence about what is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlplatform.errors import BadRequest
from services.model_serving.protocols.json_body import RepeatedKey, read_json_body, refuse_repeated_keys

TEXTS = st.text(max_size=5)
RECORDS = st.lists(st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(-9, 9))), max_size=3)


class TestReading:
    """From bytes to Python."""

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{'a': 1}", b"[1,]", b"[" * 5000, b'"\\ud800"'])
    def test_refuses_what_is_no_json(self, body: bytes):
        with pytest.raises(BadRequest):
            read_json_body(body)

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
    def test_refuses_what_python_adds_unless_it_is_asked_for(self, word: str):
        with pytest.raises(BadRequest):
            read_json_body(f"[{word}]".encode())
        (found,) = read_json_body(f"[{word}]".encode(), not_finite=True)
        assert found == (None if word == "NaN" else float(word))

    def test_words_in_texts_are_texts(self):
        assert read_json_body(b'["NaN"]', not_finite=True) == ["NaN"]
        with pytest.raises(BadRequest):
            read_json_body(b'["NaN"', not_finite=True)

    @pytest.mark.parametrize(
        "body", [r'["\ud800", NaN]', r'[{"\uDFFF": 1}, 1e999]', r'[NaN, {"a": ["x\udc00y"]}]', '["\ud800", NaN]']
    )
    def test_half_a_character_is_refused_on_the_slow_way_too(self, body: str):
        with pytest.raises(BadRequest):
            read_json_body(body.encode("utf-8", "surrogatepass"), not_finite=True)

    def test_both_halves_are_a_character(self):
        assert read_json_body(rb'["\ud83d\ude00", NaN]', not_finite=True) == ["\U0001f600", None]

    @pytest.mark.parametrize("number", ["1" * 400, "1" * 9000, "1e999"])
    def test_a_number_beyond_all_is_an_infinity_for_the_signature_to_find(self, number: str):
        assert read_json_body(f"[{number}, -{number}]".encode()) == [float("inf"), float("-inf")]

    def test_the_slow_way_reads_integers_as_the_fast_one(self):
        for number in (2**63, 2**64, -(2**63) - 1, 10**19):
            fast, slow = f"[{number}]".encode(), f"[{number}, NaN]".encode()
            assert read_json_body(fast)[0] == read_json_body(slow, not_finite=True)[0]


class TestRepeatedKeys:
    """Objects in which a key is lost."""

    @pytest.mark.parametrize("body", ['{"a":1,"a":1}', '{"a":[{"b":1,"b":2}]}', '{"a":":::","\\u0061":1}'])
    def test_are_refused(self, body: str):
        with pytest.raises(RepeatedKey):
            refuse_repeated_keys(body.encode(), [read_json_body(body.encode())])

    @given(RECORDS)
    def test_no_other_body_is(self, records: list[dict[str, object]]):
        for ascii_only in (False, True):
            body = json.dumps(records, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
            refuse_repeated_keys(body, records)

    @given(RECORDS, TEXTS, TEXTS)
    def test_one_more_of_a_key_is_found_anywhere(self, records: list[dict[str, object]], key: str, value: str):
        twice = "{%s:%s,%s:1}" % (json.dumps(key), json.dumps(value), json.dumps(key))  # noqa: UP031 (braces)
        body = f'{{"rows":[{",".join([*map(json.dumps, records), twice])}]}}'.encode()
        with pytest.raises(RepeatedKey):
            refuse_repeated_keys(body, [])
        read = read_json_body(body)
        with pytest.raises(RepeatedKey):
            refuse_repeated_keys(body, [read, *read["rows"]])
