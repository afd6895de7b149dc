"""An embedding service on a port, with a bag of words for a model. Stands in for another process."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.unit.embedding.encoders import WordEncoder

DIGEST = "a" * 64


@dataclass
class EmbeddingServer:
    """What it answers with, and what it was asked.

    Attributes:
        url: Where it listens.
        digest: Of the weights it claims.
        dimensions: Length of the vectors; the first values of what the encoder gives.
        status: Status of its answers.
        authorizations: The Authorization header of each request.
        asked: The body of each request for a vector.
        favourite: The word that the re-ranker likes; None: there is no re-ranker.
        reranking: Cleared, the re-ranker does not answer.
    """

    url: str = ""
    digest: str = DIGEST
    dimensions: int = WordEncoder.dimension
    status: int = 200
    authorizations: list[str | None] = field(default_factory=list)
    asked: list[dict[str, object]] = field(default_factory=list)
    favourite: str | None = None
    reranking: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Answer as at first, and forget what was asked."""
        anew = EmbeddingServer(url=self.url)
        anew.reranking.set()
        vars(self).update(vars(anew))

    async def embed(self, request: Request) -> JSONResponse:
        self.authorizations.append(request.headers.get("authorization"))
        if self.status != 200:
            return JSONResponse({}, self.status)
        self.asked.append(await request.json())
        vectors = WordEncoder().encode((await request.json())["texts"])[:, : self.dimensions]
        answer = {"model": "text-embedder", "version": "1", "digest": self.digest, "embeddings": vectors.tolist()}
        return JSONResponse(answer)

    async def rerank(self, request: Request) -> JSONResponse:
        await asyncio.to_thread(self.reranking.wait)
        if self.favourite is None:
            return JSONResponse({"code": "no_reranker"}, 404)
        texts = (await request.json())["documents"]
        scores = [0.9 if self.favourite in text else 1 / (10 + len(text)) for text in texts]
        ranked = sorted(range(len(texts)), key=lambda place: -scores[place])
        results = [{"index": place, "relevance_score": scores[place]} for place in ranked]
        return JSONResponse({"model": "text-reranker", "version": "7", "results": results})

    async def live(self, _: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})


@contextmanager
def serving() -> Iterator[EmbeddingServer]:
    """Run one on a free port for the time of the block."""
    embedding = EmbeddingServer()
    embedding.reranking.set()
    routes = [Route("/api/v1/embed", embedding.embed, methods=["POST"]), Route("/health/live", embedding.live)]
    routes.append(Route("/api/v1/rerank", embedding.rerank, methods=["POST"]))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        embedding.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield embedding
        embedding.reranking.set()
        server.should_exit = True
        thread.join(60)
