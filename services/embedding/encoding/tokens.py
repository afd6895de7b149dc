"""Text to tokens, once; tokens to the arrays of a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from services.embedding.encoding.shapes import ANY, Shapes

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
LONGEST = 8192
"""Tokens read of a text when the model itself has no limit."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the model reads it.

    Attributes:
        features: What the tokenizer made, one list of the same length per name, such as `input_ids`.
        truncated: Whether the text was longer than the model reads.
    """

    features: dict[str, list[int]]
    truncated: bool

    def __len__(self) -> int:
        return len(self.features[IDS])


class Tokeniser:
    """Calls the Rust tokenizer of a model by itself: it counts no offsets, and makes no batch of padded tensors.

    Args:
        tokenizer: The tokenizer; it is set up anew and belongs to this object from now on.
        max_tokens: Longer texts are cut.
        names: Features that the model reads.
        padding: Values of padded tokens by feature, 0 unless given.
        special: Whether special tokens are added.
        cut_start: Whether long texts lose their beginning instead of their end.
        pad_start: Whether padding goes before the text.

    Attributes:
        max_tokens: Longer texts are cut.
        cuts: Which part of a longer text is cut: its `end` or its `start`.
        vocabulary: Token ids are below it.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        max_tokens: int,
        names: Sequence[str] = (IDS,),
        padding: Mapping[str, int] | None = None,
        special: bool = True,
        cut_start: bool = False,
        pad_start: bool = False,
    ) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens, direction="left" if cut_start else "right")
        self._tokenizer = tokenizer
        self._names = tuple(names)
        self._padding = dict(padding or {})
        self._special = special
        self._pad_start = pad_start
        self.max_tokens = max_tokens
        self.cuts = "start" if cut_start else "end"
        self.vocabulary = tokenizer.get_vocab_size()

    @classmethod
    def of(cls, model: SentenceTransformer) -> Self:
        """Take the tokenizer of a model, set up as `SentenceTransformer.encode` uses it.

        Raises:
            ValueError: The model has no tokenizer of the `tokenizers` library, or reads no plain text.
        """
        tokenizer = getattr(model, "tokenizer", None)
        if isinstance(tokenizer, Tokenizer):  # a table of static embeddings, which has neither mask nor special tokens
            limit = (tokenizer.truncation or {}).get("max_length", LONGEST)
            return cls(tokenizer, max_tokens=limit, special=False)
        if not isinstance(tokenizer, PreTrainedTokenizerBase) or not hasattr(tokenizer, "backend_tokenizer"):
            raise ValueError(f"The tokenizer {type(tokenizer).__name__} of the model is not one of Hugging Face's.")
        if "message" in getattr(model[0], "modality_config", {}):
            raise ValueError("The model reads conversations by a chat template; only models of plain text are served.")
        limit = model.max_seq_length or tokenizer.model_max_length
        return cls(
            tokenizer.backend_tokenizer,
            max_tokens=int(min(limit, LONGEST)),
            names=[name for name in (IDS, TYPES) if name == IDS or name in tokenizer.model_input_names],
            padding={IDS: tokenizer.pad_token_id or 0, TYPES: tokenizer.pad_token_type_id or 0},
            cut_start=tokenizer.truncation_side == "left",
            pad_start=tokenizer.padding_side == "left",
        )

    def __call__(self, texts: Sequence[str]) -> list[Tokens]:
        """Turn texts into tokens, cut to what the model reads."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=self._special)
        return [Tokens(self._features(encoding), bool(encoding.overflowing)) for encoding in encodings]

    def pad(self, tokens: Sequence[Tokens], shapes: Shapes = ANY) -> dict[str, NDArray[np.int64]]:
        """Make the arrays of one batch.

        Args:
            tokens: The texts of the batch.
            shapes: Pad to one of their lengths, but never beyond what the model reads.

        Returns:
            Arrays of `(texts, longest)`, with the attention mask.
        """
        width = self.width(tokens, shapes)
        slices = [self._place(len(text), width) for text in tokens]
        arrays = {MASK: np.zeros((len(tokens), width), dtype=np.int64)}
        for name in tokens[0].features:
            arrays[name] = np.full((len(tokens), width), self._padding.get(name, 0), dtype=np.int64)
        for row, (text, place) in enumerate(zip(tokens, slices, strict=True)):
            arrays[MASK][row, place] = 1
            for name, values in text.features.items():
                arrays[name][row, place] = values
        return arrays

    def width(self, tokens: Sequence[Tokens], shapes: Shapes = ANY) -> int:
        """Return how many tokens each row of a batch has, padding included."""
        longest = max([1, *map(len, tokens)])
        return max(longest, min(shapes.length(longest), self.max_tokens))

    def _place(self, length: int, width: int) -> slice:
        return slice(width - length, width) if self._pad_start else slice(length)

    def _features(self, encoding: Encoding) -> dict[str, list[int]]:
        read: dict[str, Any] = {IDS: encoding.ids, TYPES: encoding.type_ids}
        return {name: read[name] for name in self._names}
