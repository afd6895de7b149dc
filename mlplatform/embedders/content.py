"""Whether there is anything in a text to embed."""

import re

NOTHING = "holds only white space and control characters"
"""What is wrong with a text that has no content."""

# Neither white space nor a control character, nor one of the marks that have no width.
_CONTENT = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def has_content(text: str) -> bool:
    """Whether a text holds anything that can be read: of nothing a model makes a vector too, near to those of texts."""
    return _CONTENT.search(text) is not None
