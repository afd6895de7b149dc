"""The answer of `POST /v1/embeddings`."""

from base64 import b64encode
from collections.abc import Iterator

import numpy as np
import orjson

from services.embedding.batcher import Encoded

LITTLE_ENDIAN = np.dtype("<f4")


def render(encoded: Encoded, model: str, *, base64: bool) -> bytes:
    """Write vectors.

    A text that was cut has `"truncated": true`, which the protocol lacks; the rest is the protocol's, to the letter.

    Args:
        encoded: The vectors.
        model: The name that the caller used.
        base64: Whether to write them as base64 of little-endian float32.
    """
    tokens = sum(encoded.token_counts)
    content = {
        "object": "list",
        "data": list(_items(encoded, base64=base64)),
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def _items(encoded: Encoded, *, base64: bool) -> Iterator[dict[str, object]]:
    vectors = np.ascontiguousarray(encoded.vectors, dtype=LITTLE_ENDIAN)
    truncated = set(encoded.truncated)
    for index, vector in enumerate(vectors):
        embedding: object = b64encode(vector.tobytes()).decode("ascii") if base64 else vector
        item = {"object": "embedding", "index": index, "embedding": embedding}
        yield item | {"truncated": True} if index in truncated else item
