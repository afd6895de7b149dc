"""Texts with their classes from files."""

import pytest
from text_data import read_texts

from mlplatform.training.failures import BadData


@pytest.fixture
def write(tmp_path):
    def write(content, name="texts.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


class TestReadTexts:
    def test_csv(self, write):
        found = read_texts(write('\ufeffid,label,text\n1,b,"two\nlines"\n2,a,one\n'), "text", "label")
        assert (found.labels, found.texts, found.targets.tolist()) == (("a", "b"), ("two\nlines", "one"), [1, 0])

    def test_jsonl(self, write):
        lines = '{"body": "one", "kind": 3}\n\n{"body": "two", "kind": 1}\n'
        found = read_texts(write(lines, "texts.jsonl"), "body", "kind")
        assert (found.labels, found.texts) == (("1", "3"), ("one", "two"))

    def test_a_repeated_text_is_left_out(self, write):
        found = read_texts(write("text,label\none,a\n one ,a\none,b\ntwo,b\n"), "text", "label")
        assert (found.texts, found.repeated, found.contradicting) == (("one", "two"), 2, 1)

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("t.csv", "", "no column 'text'; its columns are none"),
            ("t.csv", "text,text,label\n", "more than one column 'text'"),
            ("t.csv", "text,label\none,a,b\n", "line 2: has 3 fields, the header has 2"),
            ("t.csv", 'text,label\n"one,a\n', "line 2: unexpected end of data"),
            ("t.csv", "text,label\none,\n", "line 2: 'label' is empty"),
            ("t.csv", "text,label\n", "has no texts"),
            ("t.csv", b"text,label\n\xff,a\n", "is not UTF-8"),
            ("t.jsonl", "{}\n", "line 1: 'text' is missing or no text"),
            ("t.jsonl", "[1]\n", "line 1: is no object"),
            ("t.jsonl", "{", "line 1: is no JSON"),
        ],
    )
    def test_refused(self, write, name, content, said):
        with pytest.raises(BadData, match=said):
            read_texts(write(content, name), "text", "label")

    def test_no_file(self, tmp_path):
        with pytest.raises(BadData, match="is no file"):
            read_texts(tmp_path / "absent.csv", "text", "label")
