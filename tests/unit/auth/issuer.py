"""An issuer of tokens for tests: its keys, its tokens, and its JWKS document on a local port."""

import base64
import json
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

SECRET = "0123456789abcdef0123456789abcdef-and-more"  # a test's own
ISSUER = AUDIENCE = "ml-platform"


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """One key a name, since making one takes a while."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(name: str, **members: object) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True), "kid": name, "use": "sig", **members}


def public_pem(name: str) -> bytes:
    return rsa_key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def claims(**changes: object) -> dict[str, Any]:
    """Claims that are accepted, with changes; None leaves a claim out."""
    now = int(time.time())
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "roles": ["user"], "exp": now + 600}
    return {name: value for name, value in (base | changes).items() if value is not None}


def signed(payload: dict[str, Any], *, key: str = "k1", kid: str | None = "k1", **headers: object) -> str:
    return jwt.encode(payload, rsa_key(key), "RS256", headers=headers | ({} if kid is None else {"kid": kid}))


def with_secret(payload: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256", **headers: object) -> str:
    return jwt.encode(payload, secret, algorithm, headers=headers)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class JwksServer:
    """Serves one document and counts how often it was fetched."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.fetches = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.fetches += 1
                self.send_response(owner.status)
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(owner.body)))
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, *_: object) -> None:
                """Keep the test's output to the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/jwks.json"

    def publish(self, *entries: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": entries}).encode()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Clock:
    """Seconds that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Forge = Callable[[], str]
