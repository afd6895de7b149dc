"""What a query asks for, read from what the user typed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

QUOTED = re.compile(r'["“”„]([^"“”„]*)["“”„]')
QUOTES = re.compile(r'["“”„]')
WORD = re.compile(r"[^\W\d_]+")
QUOTING_WORDS = 32
"""In a longer query quotation marks are those of a text that was pasted."""
CORRECTED_LETTERS = 4
"""Shorter words are not corrected: nearly any other short word is one letter away."""
LONGEST_CORRECTED = 24
"""Letters above which a word is none that somebody mistyped: trying its spellings would only cost time and memory."""


@dataclass(frozen=True, slots=True)
class LexicalQuery:
    """A query for words.

    Attributes:
        text: All of its words, also the quoted ones; each adds to the score of an item that has it.
        phrases: What stood in quotes; an item must have each of them, word by word.
    """

    text: str
    phrases: tuple[str, ...] = ()

    def words(self) -> list[str]:
        """Return the different words, in lower case, that may be corrected."""
        words = WORD.findall(self.text)
        return list(
            dict.fromkeys(word.lower() for word in words if CORRECTED_LETTERS <= len(word) <= LONGEST_CORRECTED)
        )

    def with_words(self, corrected: Mapping[str, str]) -> "LexicalQuery":
        """Return the query with words replaced.

        Args:
            corrected: Lower-case word → what to look for instead.
        """
        return replace(self, text=WORD.sub(lambda word: corrected.get(word[0].lower(), word[0]), self.text))


def parse_query(text: str) -> LexicalQuery:
    """Read a query: words, and phrases in double quotes.

    A quote without its partner counts for nothing, and no quote does in a query of more than `QUOTING_WORDS` words.
    """
    words = QUOTES.sub(" ", text)
    if len(words.split()) > QUOTING_WORDS:
        return LexicalQuery(words)
    phrases = (" ".join(phrase.split()) for phrase in QUOTED.findall(text))
    return LexicalQuery(words, tuple(dict.fromkeys(phrase for phrase in phrases if phrase)))
