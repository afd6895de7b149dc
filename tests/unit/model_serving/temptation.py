"""What a model could be made to open: an address that is asked for, and files that are there."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread

from PIL import Image


@dataclass
class Listener:
    """A web server that serves a picture to everybody and remembers who came."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    """Run such a server for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listener.asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(picture())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Listener(f"http://127.0.0.1:{server.server_port}/picture.png")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()


def picture(width: int = 20, height: int = 10, shade: int = 90, kind: str = "PNG") -> bytes:
    """Return the file of an image of one shade."""
    stream = BytesIO()
    Image.new("L", (width, height), shade).save(stream, kind)
    return stream.getvalue()


def encoded(content: bytes) -> str:
    """Return base64 text."""
    return base64.b64encode(content).decode()
