"""How long a verified token is believed without looking again."""

import time

import pytest

from mlplatform.auth import Role
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.principal import Principal
from mlplatform.auth.token_memory import MEMORY, MEMORY_TOKENS, TokenMemory
from mlplatform.auth.tokens import LEEWAY, TokenVerifier
from mlplatform.settings import PlatformSettings
from tests.unit.auth.issuer import SECRET, Clock, JwksServer, claims, public_jwk, signed, with_secret

ADA = Principal("ada", "acme", frozenset({Role.USER}), "jwt")
NEVER = float("inf")


@pytest.fixture
def wall() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock, wall: Clock) -> TokenMemory:
    return TokenMemory(clock=clock, wall=wall)


class TestTokenMemory:
    def test_remembers_for_a_while(self, memory: TokenMemory, clock: Clock) -> None:
        memory.keep("token", ADA, expires=NEVER)
        clock.now += MEMORY.total_seconds() - 0.001
        assert memory.find("token") is ADA
        clock.now += 0.001
        assert memory.find("token") is None

    def test_never_beyond_the_expiry(self, memory: TokenMemory, wall: Clock) -> None:
        memory.keep("token", ADA, expires=wall.now + 1)
        wall.now += 0.999
        assert memory.find("token") is ADA
        wall.now += 0.001
        assert memory.find("token") is None

    def test_asking_does_not_prolong(self, memory: TokenMemory, clock: Clock) -> None:
        memory.keep("token", ADA, expires=NEVER)
        for _ in range(4):
            clock.now += MEMORY.total_seconds() / 4
            found = memory.find("token")
        assert found is None

    def test_another_token(self, memory: TokenMemory) -> None:
        memory.keep("token", ADA, expires=NEVER)
        assert memory.find("Token") is None
        assert memory.find("\ud800") is None

    def test_is_bounded_and_forgets_the_oldest(self, memory: TokenMemory) -> None:
        for number in range(MEMORY_TOKENS + 1):
            memory.keep(str(number), ADA, expires=NEVER)
        assert memory.find("0") is None
        assert memory.find("1") is ADA
        assert memory.find(str(MEMORY_TOKENS)) is ADA


class TestVerifier:
    async def test_a_known_token_is_not_verified_again(self, jwks: JwksServer) -> None:
        verifier = TokenVerifier(PlatformSettings(jwt_jwks_url=jwks.url))
        token = signed(claims())
        assert await verifier.verify(token) is await verifier.verify(token)

    async def test_a_refusal_is_not_remembered_as_anything(self) -> None:
        verifier = TokenVerifier(PlatformSettings(jwt_secret=SECRET))
        good = with_secret(claims())
        await verifier.verify(good)
        for _ in range(2):
            with pytest.raises(CredentialRefused) as refused:
                await verifier.verify(good[:-7])
            assert refused.value.reason == "signature"

    async def test_a_withdrawn_key_takes_effect(self, jwks: JwksServer, clock: Clock) -> None:
        verifier = TokenVerifier(PlatformSettings(jwt_jwks_url=jwks.url))
        verifier._memory = TokenMemory(clock=clock)
        verifier._keys._clock = clock
        token = signed(claims())
        await verifier.verify(token)
        jwks.publish(public_jwk("k2"))
        clock.now += 300
        with pytest.raises(CredentialRefused) as refused:
            await verifier.verify(token)
        assert refused.value.reason == "unknown_key"

    async def test_after_the_expiry_the_claims_decide_again(self) -> None:
        verifier = TokenVerifier(PlatformSettings(jwt_secret=SECRET))
        wall = Clock()
        verifier._memory = TokenMemory(wall=wall)
        expires = int(time.time()) - int(LEEWAY.total_seconds()) + 20
        wall.now = expires - 1.0
        token = with_secret(claims(exp=expires))
        first = await verifier.verify(token)
        assert await verifier.verify(token) is first
        wall.now = expires
        assert await verifier.verify(token) is not first
