"""Names of files in forms, as they are shown."""

import pytest

from services.model_serving.batch.uploads.form import Begin, Form


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.txt", "a.txt"),
        ("folder/a.txt", "folder/a.txt"),
        ("./one//two/a.txt", "one/two/a.txt"),
        ("one\\\\two\\\\a.txt", "one/two/a.txt"),
        ("../../etc/a.txt", "a.txt"),
        ("one/../../a.txt", "a.txt"),
        ("/etc/a.txt", "a.txt"),
        ("C:\\\\one\\\\a.txt", "a.txt"),
        ("..", ""),
        ("f" * 300 + "/a.txt", "a.txt"),
        ("Screenshot at 9.41\u202fAM.png", "Screenshot at 9.41\u202fAM.png"),
        ("👩\u200d🔬.txt", "👩\u200d🔬.txt"),
        ("a\x1b[1m.txt", "a[1m.txt"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("a\u2066b\u2069.txt", "ab.txt"),
        ("a" * 300, "a" * 255),
    ],
)
def test_names(given: str, shown: str) -> None:
    head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{given}"\r\n\r\n'
    assert Form("multipart/form-data; boundary=x").feed(head.encode()) == [Begin("files", shown)]
