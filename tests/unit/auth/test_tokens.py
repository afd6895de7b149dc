"""Tokens that are accepted, and every way to forge one."""

import hashlib
import hmac
import json
import time
from datetime import timedelta

import jwt
import pytest

from mlplatform.auth import MintingError, Role, mint_token
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.tokens import TOKEN_CHARACTERS, TokenVerifier
from mlplatform.errors import DependencyUnavailable
from mlplatform.settings import PlatformSettings
from tests.unit.auth.issuer import (
    SECRET,
    Forge,
    JwksServer,
    base64url,
    claims,
    public_jwk,
    public_pem,
    rsa_key,
    signed,
    with_secret,
)

LATE, SOON = int(time.time()) - 3600, int(time.time()) + 3600


def with_public_key_as_secret() -> str:
    """The classic confusion: an HS256 signature whose secret is the issuer's public key. PyJWT refuses to make it."""
    header = base64url(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "k1"}).encode())
    text = f"{header}.{base64url(json.dumps(claims()).encode())}"
    return f"{text}.{base64url(hmac.digest(public_pem('k1'), text.encode(), hashlib.sha256))}"


def with_other_payload() -> str:
    header, _, signature = with_secret(claims()).split(".")
    return f"{header}.{base64url(json.dumps(claims(roles=['ml_admin'])).encode())}.{signature}"


def unsigned() -> str:
    return jwt.encode(claims(), None, "none")


def rs512() -> str:
    return jwt.encode(claims(), rsa_key("k1"), "RS512", headers={"kid": "k1"})


FORGED_WITH_SECRET: dict[str, tuple[Forge, str]] = {
    "another secret": (lambda: with_secret(claims(), secret="another-secret-of-more-than-32-bytes"), "signature"),
    "no algorithm": (unsigned, "algorithm"),
    "an algorithm that is not named": (
        lambda: with_secret(claims(), secret=2 * SECRET, algorithm="HS512"),
        "algorithm",
    ),
    "a public key's algorithm": (lambda: signed(claims()), "algorithm"),
    "another payload": (with_other_payload, "signature"),
    "cut signature": (lambda: with_secret(claims())[:-7], "signature"),
    "no signature": (lambda: with_secret(claims()).rpartition(".")[0] + ".", "signature"),
    "cut payload": (lambda: with_secret(claims()).rpartition(".")[0], "malformed"),
    "expired": (lambda: with_secret(claims(exp=LATE)), "expired"),
    "not valid yet": (lambda: with_secret(claims(nbf=SOON)), "immature"),
    "issued in the future": (lambda: with_secret(claims(iat=SOON, exp=SOON + 60)), "immature"),
    "another audience": (lambda: with_secret(claims(aud="billing")), "audience"),
    "another issuer": (lambda: with_secret(claims(iss="https://evil.example")), "issuer"),
    "without exp": (lambda: with_secret(claims(exp=None)), "claims"),
    "without sub": (lambda: with_secret(claims(sub=None)), "claims"),
    "without iss": (lambda: with_secret(claims(iss=None)), "claims"),
    "without aud": (lambda: with_secret(claims(aud=None)), "claims"),
    "exp before iat": (lambda: with_secret(claims(iat=int(time.time()), exp=int(time.time()) - 5)), "claims"),
    "empty sub": (lambda: with_secret(claims(sub="")), "claims"),
    "sub of two lines": (lambda: with_secret(claims(sub="ada\nroot")), "claims"),
    "tenant of another form": (lambda: with_secret(claims(tenant="../acme")), "claims"),
    "tenant and a line feed": (lambda: with_secret(claims(tenant="acme\n")), "claims"),
    "roles as text": (lambda: with_secret(claims(roles="ml_admin")), "claims"),
    "id-token": (lambda: with_secret(claims(at_hash="x")), "token_type"),
    "token for something else": (lambda: with_secret(claims(token_use="id")), "token_type"),
    "another typ": (lambda: with_secret(claims(), typ="dpop+jwt"), "token_type"),
    "jku": (lambda: with_secret(claims(), jku="http://127.0.0.1:1/keys"), "header"),
    "x5u": (lambda: with_secret(claims(), x5u="http://127.0.0.1:1/cert"), "header"),
    "own key": (lambda: with_secret(claims(), jwk=public_jwk("k1")), "header"),
    "oversized": (lambda: with_secret(claims(padding="x" * TOKEN_CHARACTERS)), "oversized"),
    "garbage": (lambda: "garbage", "malformed"),
    "three dots": (lambda: "...", "malformed"),
    "not base64": (lambda: "ä.ö.ü", "malformed"),
    "NUL": (lambda: "\0.\0.\0", "malformed"),
}

FORGED_WITH_KEY: dict[str, tuple[Forge, str]] = {
    "another key of that id": (lambda: signed(claims(), key="k2", kid="k1"), "signature"),
    "unknown key id": (lambda: signed(claims(), key="k2", kid="k2"), "unknown_key"),
    "no key id": (lambda: signed(claims(), kid=None), "unknown_key"),
    "long key id": (lambda: signed(claims(), kid="k" * 300), "unknown_key"),
    "public key as secret": (with_public_key_as_secret, "algorithm"),
    "no algorithm": (unsigned, "algorithm"),
    "a secret's algorithm": (lambda: with_secret(claims(), kid="k1"), "algorithm"),
    "another algorithm of the key": (rs512, "algorithm"),
    "expired": (lambda: signed(claims(exp=LATE)), "expired"),
    "another audience": (lambda: signed(claims(aud=["billing"])), "audience"),
}


@pytest.fixture
def by_secret() -> TokenVerifier:
    return TokenVerifier(PlatformSettings(jwt_secret=SECRET))


@pytest.fixture
def by_key(jwks: JwksServer) -> TokenVerifier:
    return TokenVerifier(PlatformSettings(jwt_jwks_url=jwks.url))


class TestVerifyWithSecret:
    async def test_good_token(self, by_secret: TokenVerifier) -> None:
        principal = await by_secret.verify(with_secret(claims(roles=["user", "billing-clerk", 7])))

        assert (principal.subject, principal.tenant, principal.method) == ("ada", "acme", "jwt")
        assert principal.roles == {Role.USER}

    async def test_token_without_tenant_acts_for_the_default_one(self, by_secret: TokenVerifier) -> None:
        assert (await by_secret.verify(with_secret(claims(tenant=None)))).tenant == "default"

    async def test_clocks_may_differ_a_little(self, by_secret: TokenVerifier) -> None:
        expired_just_now = with_secret(claims(exp=int(time.time()) - 1))

        assert (await by_secret.verify(expired_just_now)).subject == "ada"

    @pytest.mark.parametrize("name", FORGED_WITH_SECRET)
    async def test_forged_token(self, by_secret: TokenVerifier, name: str) -> None:
        forge, reason = FORGED_WITH_SECRET[name]

        with pytest.raises(CredentialRefused) as refused:
            await by_secret.verify(forge())

        assert refused.value.reason == reason
        assert refused.value.headers["WWW-Authenticate"].endswith('error="invalid_token"')

    @pytest.mark.parametrize("secret", [None, "short"])
    async def test_no_usable_secret_accepts_nothing(self, secret: str | None) -> None:
        verifier = TokenVerifier(PlatformSettings(jwt_secret=secret))

        with pytest.raises(CredentialRefused) as refused:
            await verifier.verify(with_secret(claims()))

        assert refused.value.reason == "algorithm"

    async def test_secret_too_short_for_one_algorithm(self) -> None:
        verifier = TokenVerifier(PlatformSettings(jwt_secret=SECRET[:40], jwt_algorithms=("HS256", "HS512")))
        header = base64url(json.dumps({"alg": "HS512", "typ": "JWT"}).encode())
        text = f"{header}.{base64url(json.dumps(claims()).encode())}"
        token = f"{text}.{base64url(hmac.digest(SECRET[:40].encode(), text.encode(), hashlib.sha512))}"

        with pytest.raises(CredentialRefused) as refused:
            await verifier.verify(token)

        assert refused.value.reason == "algorithm"


class TestVerifyWithPublishedKeys:
    async def test_good_token(self, by_key: TokenVerifier) -> None:
        assert (await by_key.verify(signed(claims()))).subject == "ada"

    @pytest.mark.parametrize("name", FORGED_WITH_KEY)
    async def test_forged_token(self, by_key: TokenVerifier, name: str) -> None:
        forge, reason = FORGED_WITH_KEY[name]

        with pytest.raises(CredentialRefused) as refused:
            await by_key.verify(forge())

        assert refused.value.reason == reason

    async def test_public_key_as_secret_beside_a_secret(self, jwks: JwksServer) -> None:
        both = PlatformSettings(jwt_jwks_url=jwks.url, jwt_secret=SECRET, jwt_algorithms=("HS256", "RS256"))

        with pytest.raises(CredentialRefused) as refused:
            await TokenVerifier(both).verify(with_public_key_as_secret())

        assert refused.value.reason == "signature"

    async def test_the_token_names_no_place_to_fetch_keys_from(self, by_key: TokenVerifier, jwks: JwksServer) -> None:
        jwks.publish(public_jwk("k2"))
        for name in ("jku", "x5u"):
            with pytest.raises(CredentialRefused) as refused:
                await by_key.verify(signed(claims(), key="k2", kid="k2", **{name: jwks.url}))
            assert refused.value.reason == "header"

        assert jwks.fetches == 0

    async def test_keys_that_were_never_fetched(self, by_key: TokenVerifier, jwks: JwksServer) -> None:
        jwks.status = 500

        with pytest.raises(DependencyUnavailable):
            await by_key.verify(signed(claims()))


class TestMint:
    async def test_minted_token_is_accepted(self, by_secret: TokenVerifier) -> None:
        settings = PlatformSettings(jwt_secret=SECRET)
        token = mint_token(settings, subject="ci", tenant="acme", roles=[Role.SERVICE], ttl=timedelta(minutes=1))

        principal = await by_secret.verify(token)

        assert (principal.subject, principal.tenant, principal.roles) == ("ci", "acme", {Role.SERVICE})

    def test_no_secret(self) -> None:
        with pytest.raises(MintingError, match="ML_JWT_SECRET"):
            mint_token(PlatformSettings(), subject="ci", tenant="acme", roles=[], ttl=timedelta(minutes=1))

    def test_tokens_of_an_issuer(self) -> None:
        settings = PlatformSettings(jwt_jwks_url="https://issuer.example/jwks", jwt_secret=SECRET)

        with pytest.raises(MintingError, match="HS256"):
            mint_token(settings, subject="ci", tenant="acme", roles=[], ttl=timedelta(minutes=1))
