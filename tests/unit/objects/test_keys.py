import pytest

from mlplatform.errors import Unprocessable
from mlplatform.objects.keys import check_key


class TestCheckKey:
    @pytest.mark.parametrize("key", ["a", "reports/2026/model 1.json", "grüße/ß.txt", "x" * 1024])
    def test_safe(self, key: str) -> None:
        assert check_key(key) == key

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "/etc/passwd",
            "a/../b",
            "..",
            "./a",
            "a//b",
            "a/",
            "a\\b",
            "a\nb",
            "a\x00b",
            "x" * 1025,
            "ß" * 513,
            "\ud800",
        ],
        ids=ascii,
    )
    def test_unsafe(self, key: str) -> None:
        with pytest.raises(Unprocessable):
            check_key(key)
