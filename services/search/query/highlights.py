"""Where the words of a query are in a text."""

from typing import TypedDict

START, STOP, GAP = "\ue000", "\ue001", "\ue002"
"""Private characters that Postgres puts around words and between passages; texts have none when it does."""


class Highlight(TypedDict):
    """A passage of a text.

    The passage is plain text of the item: whoever shows it as HTML must escape it, and then has the places for marks.

    Attributes:
        text: The passage.
        marks: First character of each word that was looked for and the one after its last, counted in code points.
    """

    text: str
    marks: list[tuple[int, int]]


def read_highlights(headline: str) -> list[Highlight]:
    """Read what `ts_headline` made; passages without a word that was looked for are left out."""
    found = (_passage(part) for part in headline.split(GAP))
    return [passage for passage in found if passage["marks"]]


def _passage(marked: str) -> Highlight:
    marks: list[tuple[int, int]] = []
    before, *rest = marked.strip().split(START)
    text = before
    for part in rest:
        word, _, after = part.partition(STOP)
        marks.append((len(text), len(text) + len(word)))
        text += word + after
    return {"text": text, "marks": marks}
