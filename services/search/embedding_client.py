"""The embedding service, as the search service asks it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from mlplatform.auth import MintingError, Principal, Role, mint_token
from mlplatform.auth.authenticator import API_KEY_HEADER
from mlplatform.errors import DependencyUnavailable, FieldError, Unprocessable
from mlplatform.telemetry import tell_unkept, unless_kept
from services.search.errors import RerankerMissing, SpaceMismatchError
from services.search.settings import SearchSettings

NAME = "embedding"
TOKEN_TTL = timedelta(minutes=1)
SUBJECT_CHARACTERS = 255
PROBE_TIMEOUT = aiohttp.ClientTimeout(total=1.5)


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query as the model sees it.

    Attributes:
        values: The unit vector.
        model: Registered model that made it.
        version: Version of that model.
        digest: Digest of its weights and tokenizer; only vectors of equal digests may be compared.
    """

    values: Sequence[float]
    model: str
    version: str
    digest: str

    def literal(self) -> str:
        """Write the vector as pgvector reads it."""
        return orjson.dumps(self.values).decode()


@dataclass(frozen=True, slots=True)
class Reranked:
    """What the re-ranker says of texts.

    Attributes:
        scores: How likely each answers the query, from 0 to 1, in the order of the texts.
        model: Registered model.
        version: Version of that model.
    """

    scores: Sequence[float]
    model: str
    version: str


class EmbeddingClient:
    """Embeds queries, and re-ranks what they found, over HTTP.

    Args:
        http: Shared client; it carries the trace on.
        settings: Where the service is, and what tokens are signed with.
    """

    def __init__(self, http: aiohttp.ClientSession, settings: SearchSettings) -> None:
        self._http = http
        self._settings = settings

    async def embed(self, query: str, principal: Principal, digest: str | None = None) -> QueryVector:
        """Embed a query for a caller.

        Args:
            query: The text.
            principal: The caller.
            digest: Of the weights to embed with; None for those that the service has as its default.

        Raises:
            DependencyUnavailable: The service is down, not ready or overloaded.
            SpaceMismatchError: The service has no model with these weights in memory.
            Unprocessable: The service refuses the text.
        """
        body = {"texts": [query], "input_type": "query"} | ({} if digest is None else {"digest": digest})
        status, content = await self._post("/api/v1/embed", body, principal)
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            message = "cannot be embedded: it is empty or too long"
            raise Unprocessable("The query cannot be embedded.", errors=[FieldError("body.query", message)])
        if status == HTTPStatus.NOT_FOUND and digest is not None:
            raise SpaceMismatchError("The embedding service does not have the weights that the index was made with.")
        if status != HTTPStatus.OK:
            raise DependencyUnavailable(NAME, f"embedding is unavailable: it answered {status}; try again shortly.")
        answer = orjson.loads(content)
        return QueryVector(answer["embeddings"][0], answer["model"], answer["version"], answer["digest"])

    async def rerank(self, query: str, texts: Sequence[str], principal: Principal) -> Reranked:
        """Have texts scored for a caller. Who cancels this has the service drop the work.

        Args:
            query: The query.
            texts: What was found.
            principal: The caller.

        Raises:
            DependencyUnavailable: The service is down, overloaded, or has not loaded its re-ranker.
            RerankerMissing: The service has no re-ranker.
        """
        status, content = await self._post("/api/v1/rerank", {"query": query, "documents": list(texts)}, principal)
        if status == HTTPStatus.NOT_FOUND:
            raise RerankerMissing("no re-ranker is in production; see mlp models register-reranker.")
        if status != HTTPStatus.OK:
            raise DependencyUnavailable(NAME, f"the embedding service answered {status} to a call of the re-ranker.")
        answer = orjson.loads(content)
        scores = {result["index"]: float(result["relevance_score"]) for result in answer["results"]}
        return Reranked([scores[place] for place in range(len(texts))], answer["model"], answer["version"])

    async def ping(self) -> None:
        """Ask the service for a sign of life.

        Raises:
            DependencyUnavailable: There is none.
        """
        url = f"{self._settings.embedding_url}/health/live"
        try:
            async with self._http.get(url, timeout=PROBE_TIMEOUT, allow_redirects=False) as response:
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DependencyUnavailable(NAME) from error
        if status != HTTPStatus.OK:
            raise DependencyUnavailable(NAME)

    async def _post(self, path: str, body: Mapping[str, Any], principal: Principal) -> tuple[int, bytes]:
        """Send a request, and once more over another connection when the one it went out on was just being closed.

        Returns:
            Status and body of the answer.

        Raises:
            DependencyUnavailable: There is no answer.
        """
        try:
            try:
                return await self._send(path, body, principal)
            except aiohttp.ClientConnectorError:
                raise
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError):
                return await self._send(path, body, principal)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DependencyUnavailable(NAME) from error

    async def _send(self, path: str, body: Mapping[str, Any], principal: Principal) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", **self._credentials(principal)}
        tell_unkept(headers)
        with unless_kept():
            async with self._http.post(
                f"{self._settings.embedding_url}{path}",
                data=orjson.dumps(body),
                headers=headers,
                allow_redirects=False,
            ) as response:
                return response.status, await response.read()

    def _credentials(self, principal: Principal) -> dict[str, str]:
        """Act for the caller's tenant. The subject names the caller too, so that callers do not share a rate limit."""
        if not self._settings.auth_enabled:
            return {}
        if self._settings.search_embedding_key is not None:
            return {API_KEY_HEADER: self._settings.search_embedding_key.get_secret_value()}
        try:
            token = mint_token(
                self._settings,
                subject=f"search:{principal.subject}"[:SUBJECT_CHARACTERS],
                tenant=principal.tenant,
                roles=[Role.SERVICE],
                ttl=TOKEN_TTL,
            )
        except MintingError as error:
            detail = f"Search cannot prove itself to the embedding service: {error}."
            raise DependencyUnavailable(NAME, detail) from error
        return {"Authorization": f"Bearer {token}"}
