"""An embedding service on a port, with a bag of words for a model. Stands in for another process."""

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
    """

    url: str = ""
    digest: str = DIGEST
    dimensions: int = WordEncoder.dimension
    status: int = 200
    authorizations: list[str | None] = field(default_factory=list)

    async def embed(self, request: Request) -> JSONResponse:
        self.authorizations.append(request.headers.get("authorization"))
        if self.status != 200:
            return JSONResponse({}, self.status)
        vectors = WordEncoder().encode((await request.json())["texts"])[:, : self.dimensions]
        answer = {"model": "text-embedder", "version": "1", "digest": self.digest, "embeddings": vectors.tolist()}
        return JSONResponse(answer)

    async def live(self, _: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})


@contextmanager
def serving() -> Iterator[EmbeddingServer]:
    """Run one on a free port for the time of the block."""
    embedding = EmbeddingServer()
    routes = [Route("/api/v1/embed", embedding.embed, methods=["POST"]), Route("/health/live", embedding.live)]
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
        server.should_exit = True
        thread.join(60)
