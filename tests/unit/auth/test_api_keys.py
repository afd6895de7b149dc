"""The form of API keys, and the ones that are refused before Postgres is asked."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlplatform.auth import Role
from mlplatform.auth.api_keys import ApiKey, KeyForm, render
from mlplatform.auth.errors import CredentialRefused
from mlplatform.auth.key_verifier import KeyVerifier
from mlplatform.database import Database
from mlplatform.errors import DependencyUnavailable
from mlplatform.settings import PlatformSettings

PEPPER = "pepper-of-this-test-with-32-bytes-or-more"
FORM = KeyForm(PEPPER.encode())


def stored(prefix: str, secret: str) -> ApiKey:
    now = datetime.now(UTC)
    return ApiKey(
        prefix, FORM.digest(secret), "key:x", "ci", "acme", ["user"], now, "operator:x", None, None, None, None
    )


class TestParse:
    def test_own_key(self) -> None:
        prefix, secret = FORM.generate()

        assert FORM.parse(render(prefix, secret)) == (prefix, secret)

    def test_made_up_prefix(self) -> None:
        with pytest.raises(CredentialRefused) as refused:
            FORM.parse(render(secrets.token_hex(12), secrets.token_urlsafe(32)))

        assert refused.value.reason == "key_unknown"

    def test_key_made_under_another_pepper(self) -> None:
        with pytest.raises(CredentialRefused) as refused:
            FORM.parse(render(*KeyForm(b"x" * 32).generate()))

        assert refused.value.reason == "key_unknown"

    @pytest.mark.parametrize("text", ["", "mlk_", "secret", "mlk_ABC.def", "mlk_" + "0" * 24 + "." + "x" * 44])
    def test_another_form(self, text: str) -> None:
        with pytest.raises(CredentialRefused) as refused:
            FORM.parse(text)

        assert refused.value.reason == "malformed"


class TestCheck:
    def test_holder(self) -> None:
        prefix, secret = FORM.generate()

        principal = FORM.check(stored(prefix, secret), secret).principal()

        assert (principal.subject, principal.tenant, principal.roles) == ("key:x", "acme", {Role.USER})

    def test_wrong_secret_learns_nothing_of_the_state(self) -> None:
        prefix, secret = FORM.generate()
        revoked = replace(stored(prefix, secret), revoked_at=datetime.now(UTC))

        with pytest.raises(CredentialRefused) as refused:
            FORM.check(revoked, "guess")

        assert refused.value.reason == "key_unknown"

    @pytest.mark.parametrize(("field", "reason"), [("revoked_at", "key_revoked"), ("expires_at", "key_expired")])
    def test_ended(self, field: str, reason: str) -> None:
        prefix, secret = FORM.generate()
        ended = replace(stored(prefix, secret), **{field: datetime.now(UTC) - timedelta(seconds=1)})

        with pytest.raises(CredentialRefused) as refused:
            FORM.check(ended, secret)

        assert refused.value.reason == reason


class TestVerify:
    async def test_made_up_key_never_reaches_postgres(self) -> None:
        closed = Database("postgresql://nobody@127.0.0.1:1/none")
        verifier = KeyVerifier(PlatformSettings(api_key_pepper=PEPPER), closed)

        with pytest.raises(CredentialRefused):
            await verifier.verify(render(secrets.token_hex(12), secrets.token_urlsafe(32)))
        with pytest.raises(DependencyUnavailable):  # one of the right form does, and is not guessed at
            await verifier.verify(render(*FORM.generate()))

    async def test_no_pepper(self) -> None:
        verifier = KeyVerifier(PlatformSettings(), Database("postgresql://nobody@127.0.0.1:1/none"))

        with pytest.raises(CredentialRefused, match="ML_API_KEY_PEPPER"):
            await verifier.verify(render(*KeyForm(b"").generate()))
