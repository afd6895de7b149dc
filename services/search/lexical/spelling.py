"""Words that are one slip of the finger away."""

import string
from collections.abc import Iterable

LETTERS = string.ascii_lowercase + "àáâãäåæçèéêëìíîïñòóôõöøœùúûüýß"
"""What may have been left out or mistyped: the letters of Western European languages."""


def neighbours(word: str) -> set[str]:
    """Return every string at a Damerau-Levenshtein distance of one, but for letters outside `LETTERS`.

    Norvig, "How to write a spelling corrector", 2007. Looking these up costs one index probe each and needs no table
    beside the postings.
    """
    letters = sorted({*LETTERS, *word})
    splits = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    found = {head + tail[1:] for head, tail in splits if tail}
    found |= {head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1}
    found |= {head + letter + tail[1:] for head, tail in splits if tail for letter in letters}
    found |= {head + letter + tail for head, tail in splits for letter in letters}
    return found - {word}


def spellings(words: Iterable[str], most: int) -> list[tuple[str, str]]:
    """Pair words with each of their neighbours, in the same order each time.

    Args:
        words: Those that come first are tried first.
        most: Pairs in all; a word whose neighbours are too many beside those before it is passed over.
    """
    pairs: list[tuple[str, str]] = []
    for word in words:
        found = neighbours(word)
        if len(pairs) + len(found) <= most:
            pairs += [(word, spelling) for spelling in sorted(found)]
    return pairs
