import orjson
import pytest

from mlplatform.errors import BadRequest, Unprocessable
from services.embedding.openai.reading import read_request

MODEL = "text-embedder"


def read(**fields: object):
    return read_request(orjson.dumps({"model": MODEL, "input": "text"} | fields))


class TestInput:
    @pytest.mark.parametrize(
        ("given", "texts"),
        [
            ("text", ["text"]),
            ("", [""]),
            (["one", "two"], ["one", "two"]),
            ([7, 8], [[7, 8]]),
            ([[7], [8, 9]], [[7], [8, 9]]),
        ],
        ids=["text", "empty text", "texts", "ids", "lists of ids"],
    )
    def test_each_form_becomes_a_list(self, given, texts):
        assert read(input=given).texts == texts

    @pytest.mark.parametrize(
        "wrong", [None, 7, True, {}, [], ["text", 7], [7, "text"], [[7], 8], [[7.5]], [True], [None]]
    )
    def test_anything_else_is_refused(self, wrong):
        with pytest.raises(Unprocessable) as refusal:
            read(input=wrong)

        assert [error.field for error in refusal.value.errors] == ["input"]


class TestArguments:
    def test_what_is_left_out_has_the_protocol_s_default(self):
        wanted = read()

        assert (wanted.base64, wanted.dimensions) == (False, None)

    def test_what_is_given_is_read(self):
        wanted = read(encoding_format="base64", dimensions=64, user="someone")

        assert (wanted.model, wanted.base64, wanted.dimensions) == (MODEL, True, 64)

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("model", None),
            ("model", ""),
            ("model", 7),
            ("encoding_format", "int8"),
            ("encoding_format", ["float"]),
            ("dimensions", "64"),
            ("dimensions", True),
            ("dimensions", 1.5),
            ("prompt", "query: "),
        ],
    )
    def test_a_wrong_one_is_named(self, field, wrong):
        with pytest.raises(Unprocessable) as refusal:
            read(**{field: wrong})

        assert [error.field for error in refusal.value.errors] == [field]

    def test_an_unknown_name_is_shown_without_what_could_harm_a_log(self):
        with pytest.raises(Unprocessable) as refusal:
            read(**{"x\n\x1b" + "y" * 1000: 1})

        assert refusal.value.errors[0].field == "x" + "y" * 61


class TestBody:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b'{"input": "\xff"}',
            b'{"input": "\\ud800"}',
            b'{"input": NaN}',
            b"[" * 5000,
            b"[]",
            b"7",
        ],
    )
    def test_what_is_no_json_object_in_utf_8_is_refused(self, body):
        with pytest.raises(BadRequest):
            read_request(body)
