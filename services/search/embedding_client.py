"""The embedding service, as the search service asks it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import httpx
import orjson

from mlplatform.auth import MintingError, Principal, Role, mint_token
from mlplatform.auth.authenticator import API_KEY_HEADER
from mlplatform.errors import DependencyUnavailable, FieldError, Unprocessable
from services.search.errors import RerankerMissing, SpaceMismatchError
from services.search.settings import SearchSettings

NAME = "embedding"
TOKEN_TTL = timedelta(minutes=1)
SUBJECT_CHARACTERS = 255
PROBE_SECONDS = 1.5


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
        return "[" + ",".join(map(repr, self.values)) + "]"


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
        http: Shared client; its instrumentation carries the trace on.
        settings: Where the service is, and what tokens are signed with.
    """

    def __init__(self, http: httpx.AsyncClient, settings: SearchSettings) -> None:
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
        try:
            response = await self._http.post(
                f"{self._settings.embedding_url}/api/v1/embed",
                content=orjson.dumps(body),
                headers={"Content-Type": "application/json", **self._credentials(principal)},
            )
        except httpx.HTTPError as error:
            raise DependencyUnavailable(NAME) from error
        if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            message = "cannot be embedded: it is empty or too long"
            raise Unprocessable("The query cannot be embedded.", errors=[FieldError("body.query", message)])
        if response.status_code == httpx.codes.NOT_FOUND and digest is not None:
            raise SpaceMismatchError("The embedding service does not have the weights that the index was made with.")
        if response.status_code != httpx.codes.OK:
            raise DependencyUnavailable(
                NAME, f"embedding is unavailable: it answered {response.status_code}; try again shortly."
            )
        answer = orjson.loads(response.content)
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
        try:
            response = await self._http.post(
                f"{self._settings.embedding_url}/api/v1/rerank",
                content=orjson.dumps({"query": query, "documents": list(texts)}),
                headers={"Content-Type": "application/json", **self._credentials(principal)},
            )
        except httpx.HTTPError as error:
            raise DependencyUnavailable(NAME) from error
        if response.status_code == httpx.codes.NOT_FOUND:
            raise RerankerMissing("no re-ranker is in production; see mlp models register-reranker.")
        if response.status_code != httpx.codes.OK:
            raise DependencyUnavailable(
                NAME, f"the embedding service answered {response.status_code} to a call of the re-ranker."
            )
        answer = orjson.loads(response.content)
        scores = {result["index"]: float(result["relevance_score"]) for result in answer["results"]}
        return Reranked([scores[place] for place in range(len(texts))], answer["model"], answer["version"])

    async def ping(self) -> None:
        """Ask the service for a sign of life.

        Raises:
            DependencyUnavailable: There is none.
        """
        try:
            response = await self._http.get(f"{self._settings.embedding_url}/health/live", timeout=PROBE_SECONDS)
        except httpx.HTTPError as error:
            raise DependencyUnavailable(NAME) from error
        if response.status_code != httpx.codes.OK:
            raise DependencyUnavailable(NAME)

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
