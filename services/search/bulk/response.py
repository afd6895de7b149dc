"""The answer to an upload, which begins while the upload still comes in."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Response
from starlette.types import Receive, Scope, Send

from services.search.bulk.upload import Upload
from services.search.bulk.uploads import Uploads

MEDIA_TYPE = "application/x-ndjson"


class UploadResponse(Response):
    """Runs an upload and sends its results as they come.

    Not Starlette's StreamingResponse, which reads the rest of the body itself to learn when the client leaves.

    Args:
        uploads: Runs it.
        upload: What to run.
        name: Its name, for the header.
        chunks: The body of the request.
    """

    media_type = MEDIA_TYPE

    def __init__(self, uploads: Uploads, upload: Upload, name: str, chunks: AsyncIterator[bytes]) -> None:
        super().__init__(headers={"Upload-Id": name})
        del self.headers["Content-Length"]
        self._uploads = uploads
        self._upload = upload
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the body is `chunks`
        """Serve the request."""
        running = asyncio.create_task(self._uploads.run(self._upload, self._chunks))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for part in self._upload.results:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await running
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
