"""An issuer, and a clock that the test turns."""

from collections.abc import Iterator

import pytest

from tests.unit.auth.issuer import Clock, JwksServer, public_jwk


@pytest.fixture
def jwks() -> Iterator[JwksServer]:
    server = JwksServer()
    server.publish(public_jwk("k1"))
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()
