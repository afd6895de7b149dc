"""The certificates that are trusted, for the clients of one request each."""

import ssl
from functools import cache

import httpx


@cache
def certificates() -> ssl.SSLContext:
    """Return what a client of `httpx` verifies with; read once, since that takes longer than most requests."""
    return httpx.create_ssl_context()
