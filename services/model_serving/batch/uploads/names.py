"""Names of files, which are shown and never used as paths."""

import unicodedata

BACKWARDS = frozenset(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Characters by which the text after them runs backwards, so that a name looks like another one."""


def is_harmful(sign: str) -> bool:
    """Whether a character of a name controls what shows it; spaces and joiners of any kind do not."""
    return unicodedata.category(sign) == "Cc" or sign in BACKWARDS
