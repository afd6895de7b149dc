"""Keys that the issuer rotates, and an issuer that misbehaves."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from mlplatform.auth.jwks import BODY_BYTES, INTERVAL, TTL, KeySet
from mlplatform.errors import DependencyUnavailable
from tests.unit.auth.issuer import Clock, JwksServer, public_jwk, rsa_key


@pytest.fixture
def keys(jwks: JwksServer, clock: Clock) -> KeySet:
    return KeySet(jwks.url, ["RS256", "ES256"], clock=clock)


class TestFind:
    async def test_keys_are_fetched_once(self, keys: KeySet, jwks: JwksServer) -> None:
        found = [await keys.find("k1", "RS256") for _ in range(3)]

        assert None not in found
        assert jwks.fetches == 1

    async def test_callers_at_once_share_a_fetch(self, keys: KeySet, jwks: JwksServer) -> None:
        found = await asyncio.gather(*(keys.find("k1", "RS256") for _ in range(10)))

        assert None not in found
        assert jwks.fetches == 1

    async def test_key_that_was_rotated_in(self, keys: KeySet, jwks: JwksServer, clock: Clock) -> None:
        await keys.find("k1", "RS256")
        jwks.publish(public_jwk("k1"), public_jwk("k2"))
        clock.now += INTERVAL.total_seconds()

        assert await keys.find("k2", "RS256") is not None
        assert jwks.fetches == 2

    async def test_key_that_was_withdrawn(self, keys: KeySet, jwks: JwksServer, clock: Clock) -> None:
        await keys.find("k1", "RS256")
        jwks.publish(public_jwk("k2"))
        clock.now += TTL.total_seconds()

        assert await keys.find("k1", "RS256") is None

    async def test_made_up_key_ids_cause_one_fetch(self, keys: KeySet, jwks: JwksServer) -> None:
        found = [await keys.find(f"made-up-{number}", "RS256") for number in range(20)]

        assert found == [None] * 20
        assert jwks.fetches == 1

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"keys": 1}', b'{"keys": []}', b" " * (BODY_BYTES + 1)])
    async def test_last_good_keys_stay(self, keys: KeySet, jwks: JwksServer, clock: Clock, body: bytes) -> None:
        await keys.find("k1", "RS256")
        jwks.body = body
        clock.now += TTL.total_seconds()

        assert await keys.find("k1", "RS256") is not None
        assert jwks.fetches == 2

    async def test_endpoint_that_comes_back(self, keys: KeySet, jwks: JwksServer, clock: Clock) -> None:
        jwks.status = 503
        with pytest.raises(DependencyUnavailable):
            await keys.find("k1", "RS256")
        jwks.status = 200
        clock.now += INTERVAL.total_seconds()

        assert await keys.find("k1", "RS256") is not None

    async def test_redirect_is_not_followed(self, jwks: JwksServer, clock: Clock) -> None:
        elsewhere = JwksServer()
        elsewhere.publish(public_jwk("k1"))
        jwks.status, jwks.headers = 302, {"Location": elsewhere.url}
        try:
            with pytest.raises(DependencyUnavailable):
                await KeySet(jwks.url, ["RS256"], clock=clock).find("k1", "RS256")
            assert elsewhere.fetches == 0
        finally:
            elsewhere.close()


class TestUsableKeys:
    async def test_key_serves_its_own_algorithms_only(self, keys: KeySet, jwks: JwksServer) -> None:
        curve = ec.generate_private_key(ec.SECP256R1()).public_key()
        jwks.publish(public_jwk("k1", alg="RS256"), {**ECAlgorithm.to_jwk(curve, as_dict=True), "kid": "e1"})

        assert await keys.find("k1", "RS256") is not None
        assert await keys.find("k1", "ES256") is None
        assert await keys.find("e1", "ES256") is not None
        assert await keys.find("e1", "RS256") is None

    @pytest.mark.parametrize(
        "entry",
        [
            public_jwk("bad", use="enc"),
            public_jwk("bad", alg="RS512"),
            public_jwk("bad", n="?"),
            {**RSAAlgorithm.to_jwk(rsa_key("bad"), as_dict=True), "kid": "bad"},
            {"kty": "oct", "k": "c2VjcmV0", "kid": "bad"},
            {
                **RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True),  # noqa: S505 - refused
                "kid": "bad",
            },
        ],
        ids=["for encryption", "another alg", "unreadable", "private", "a secret", "short"],
    )
    async def test_unusable_key_beside_a_good_one(
        self, keys: KeySet, jwks: JwksServer, entry: dict[str, object]
    ) -> None:
        jwks.publish(entry, public_jwk("k1"))

        assert await keys.find("bad", "RS256") is None
        assert await keys.find("k1", "RS256") is not None
