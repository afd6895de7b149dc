"""Texts that a caller has tokenised already."""

from collections.abc import Sequence

from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.tokens import IDS, Tokens

Text = str | Sequence[int]
"""A text, or the ids that the model's own tokenizer made of one."""


class IdReader:
    """Makes of ids what the tokenizer makes of a text.

    Ids may come with the tokens that begin and end every text, such as `[CLS]` and `[SEP]`, or without. Which those
    are, and which features the model wants, is learned from the tokenizer's answer to a text without content.

    Args:
        encoder: Whose ids they are. It blocks, so a reader is used from the encoder's own thread.
    """

    def __init__(self, encoder: Encoder) -> None:
        empty, sample = encoder.tokenise(["", "a"])
        ends, ids = empty.features[IDS], sample.features[IDS]
        split = next((position for position, found in enumerate(ends) if found != ids[position]), len(ends))
        self._prefix, self._suffix = ends[:split], ends[split:]
        self._names = list(sample.features)
        self._room = max(1, encoder.max_tokens - len(ends))
        self._cuts_start = encoder.truncation == "start"

    def read(self, ids: Sequence[int]) -> Tokens:
        """Return the tokens of one text, cut to what the model reads."""
        content = self._without_ends(list(ids))
        kept = content[-self._room :] if self._cuts_start else content[: self._room]
        whole = [*self._prefix, *kept, *self._suffix]
        features = {name: [0] * len(whole) for name in self._names}
        features[IDS] = whole
        return Tokens(features, len(content) > self._room)

    def _without_ends(self, ids: list[int]) -> list[int]:
        end = len(ids) - len(self._suffix)
        if end < len(self._prefix) or ids[: len(self._prefix)] != self._prefix or ids[end:] != self._suffix:
            return ids
        return ids[len(self._prefix) : end]
