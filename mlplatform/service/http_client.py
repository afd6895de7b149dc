"""Calls of other services."""

import aiohttp
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from mlplatform.settings import PlatformSettings

MOST_CONNECTIONS = 100
IDLE_SECONDS = 60.0
"""Shorter than the 75 of our servers, so that a request seldom meets a connection that is being closed."""


def connect_http(settings: PlatformSettings) -> aiohttp.ClientSession:
    """Make a client for the other services, on a running event loop; proxies of the environment are not for them.

    aiohttp, since a request of httpx takes several times its processor time, and search makes one for every query.

    Args:
        settings: How long to wait for a connection, and for each part of an answer.
    """
    seconds = settings.dependency_timeout.total_seconds()
    instrumentor = AioHttpClientInstrumentor()
    is_traced = isinstance(trace.get_tracer_provider(), TracerProvider)
    if is_traced and not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds, sock_read=seconds),
    )
