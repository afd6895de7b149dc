from benchmarks.embedding.infinity import NAME, REQUIREMENTS
from benchmarks.embedding.model import tokens_read


class TestRequirements:
    def test_every_version_is_pinned(self):
        lines = (REQUIREMENTS / f"{NAME}.txt").read_text().splitlines()
        assert [line for line in lines if not line.startswith("#") and "==" not in line] == []
        assert any(line.startswith("infinity-emb[") for line in lines)


class TestModel:
    def test_reads_as_many_tokens_as_the_method_says(self):
        assert tokens_read() == 256
