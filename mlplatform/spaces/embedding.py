"""Embedding queries with the weights of a space, by the embedding service."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import httpx

from mlplatform.spaces.judged import Embed

TIMEOUT_SECONDS = 120.0


class EmbeddingRefusedError(Exception):
    """The embedding service did not embed the queries; the message says why and what to do."""


@asynccontextmanager
async def embedder(url: str, credential: Mapping[str, str]) -> AsyncIterator[Embed]:
    """Yield what embeds queries with the weights of a digest.

    Args:
        url: Of the embedding service.
        credential: The header that proves who asks.
    """
    async with httpx.AsyncClient(base_url=url, headers=credential, timeout=TIMEOUT_SECONDS, trust_env=False) as client:

        async def embed(texts: Sequence[str], digest: str) -> Sequence[Sequence[float]]:
            try:
                body = {"texts": list(texts), "digest": digest, "input_type": "query"}
                answer = await client.post("/api/v1/embed", json=body)
            except httpx.HTTPError as error:
                raise EmbeddingRefusedError(
                    f"the embedding service does not answer at {url}: {type(error).__name__}. "
                    "Is ML_EMBEDDING_URL right?"
                ) from error
            if answer.status_code != httpx.codes.OK:
                detail = answer.json().get("detail", "") if "json" in answer.headers.get("content-type", "") else ""
                raise EmbeddingRefusedError(
                    f"the embedding service answered {answer.status_code}. {detail} "
                    "Set ML_TOKEN or ML_API_KEY where it wants a credential."
                )
            vectors: Sequence[Sequence[float]] = answer.json()["embeddings"]
            return vectors

        yield embed
