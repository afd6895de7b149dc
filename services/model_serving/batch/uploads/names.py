"""Names of files, which are shown and never used as paths."""

import re
import unicodedata

BACKWARDS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Characters by which the text after them runs backwards, so that a name looks like another one."""

DRIVE = re.compile(r"^[A-Za-z]:")
LONGEST = 255


def leads_out(path: str) -> bool:
    """Whether a path with slashes is one that leads out of the folder in which it is looked up."""
    return path.startswith("/") or DRIVE.match(path) is not None or ".." in path.split("/")


def shown(name: str) -> str:
    """Return what a caller calls a file, fit to be shown: in its folders, unless it leads out of them.

    So files of the same name in several folders can be told apart.
    """
    path = "".join(one for one in name.replace("\\", "/") if not is_harmful(one))
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    if leads_out(path):
        parts = parts[-1:]
    found = "/".join(parts)
    return found if len(found) <= LONGEST else parts[-1][:LONGEST]


def is_harmful(sign: str) -> bool:
    """Whether a character of a name controls what shows it; spaces and joiners of any kind do not."""
    return unicodedata.category(sign) == "Cc" or sign in BACKWARDS
