"""Texts to vectors, by the shortest way: found in the cache, computed for somebody else already, or computed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from services.embedding.batcher import SHORT_REQUEST_TEXTS, Encoded
from services.embedding.cache import VectorCache
from services.embedding.coalescing import Flights
from services.embedding.errors import EncodingFailedError
from services.embedding.served_model import ServedModel
from services.embedding.token_ids import Text
from services.embedding.vectors import Row, shorten


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants embedded.

    Attributes:
        texts: Checked texts, or ids of the model's own tokenizer.
        tenant: Whose they are; what one tenant sent is not found for another, who could tell by the time it takes.
        prompt: Put before each text; an empty one for what the model itself puts there.
        dimensions: Length of the vectors; None for the model's own.
    """

    texts: Sequence[Text]
    tenant: str
    prompt: str = ""
    dimensions: int | None = None


class Embedder:
    """Embeds what callers send.

    Args:
        cache: Where vectors are kept.
    """

    def __init__(self, cache: VectorCache) -> None:
        self.cache = cache
        self._flights: Flights[Row] = Flights()

    async def embed(self, model: ServedModel, wanted: Wanted) -> Encoded:
        """Embed texts; each different one at most once.

        Vectors are kept at the model's length, and shorter ones are cut from them: one entry serves all lengths.

        Raises:
            QueueFull: Too many texts wait already.
            EncodingFailedError: The model failed on these texts.
            ModelNotLoaded: The service is stopping.
        """
        backend = model.encoder.backend
        keys = _keys(model, backend, wanted)
        texts = dict(zip(keys, wanted.texts, strict=True))
        compute = partial(self._compute, model, backend, wanted.prompt, texts)
        rows = await self._flights.get(keys, compute, urgent=len(texts) <= SHORT_REQUEST_TEXTS)
        found = [rows[key] for key in keys]
        return Encoded(
            vectors=shorten(np.stack([row.vector for row in found]), wanted.dimensions),
            token_counts=[row.tokens for row in found],
            truncated=[position for position, row in enumerate(found) if row.truncated],
        )

    async def _compute(
        self, model: ServedModel, backend: str, prompt: str, texts: Mapping[bytes, Text], keys: Sequence[bytes]
    ) -> Mapping[bytes, Row]:
        dimension = model.encoder.dimension
        rows = await self.cache.read(keys, dimension)
        missing = [key for key in keys if key not in rows]
        if missing:
            fresh = await _encode(model, prompt, {key: texts[key] for key in missing})
            if model.encoder.backend == backend:  # else the keys name another one than computed some of the rows
                self.cache.write(fresh, dimension)
            rows.update(fresh)
        return rows


async def _encode(model: ServedModel, prompt: str, texts: Mapping[bytes, Text]) -> dict[bytes, Row]:
    encoded = await model.batcher.encode(list(texts.values()), prompt=prompt)
    if not np.isfinite(encoded.vectors).all():
        raise EncodingFailedError("The model gave no finite vector for a text.")
    truncated = set(encoded.truncated)
    return {
        key: Row(encoded.vectors[position], encoded.token_counts[position], position in truncated)
        for position, key in enumerate(texts)
    }


def _keys(model: ServedModel, backend: str, wanted: Wanted) -> list[bytes]:
    """Return what a vector depends on, hashed, for each text."""
    common = hashlib.sha256()
    for part in (wanted.tenant, model.digest, backend, wanted.prompt or model.encoder.default_prompt):
        encoded = part.encode("utf-8", "surrogatepass")
        common.update(len(encoded).to_bytes(8) + encoded)
    keys = []
    for text in wanted.texts:
        one = common.copy()
        if isinstance(text, str):
            one.update(b"text" + text.encode("utf-8", "surrogatepass"))
        else:
            one.update(b"ids" + np.asarray(text, dtype="<i8").tobytes())
        keys.append(one.digest())
    return keys
