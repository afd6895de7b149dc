"""Which header is read."""

import pytest
from starlette.datastructures import Headers

from mlplatform.auth import Authenticator
from mlplatform.auth.errors import CredentialAmbiguous, CredentialRefused
from mlplatform.auth.principal import ANONYMOUS
from mlplatform.database import Database
from mlplatform.settings import PlatformSettings
from tests.unit.auth.issuer import SECRET, claims, with_secret


def authenticator(*, enabled: bool = True) -> Authenticator:
    settings = PlatformSettings(auth_enabled=enabled, jwt_secret=SECRET)
    return Authenticator(settings, Database("postgresql://nobody@127.0.0.1:1/none"))


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.lower().encode(), value.encode()) for name, value in pairs])


class TestAuthenticate:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
    async def test_token(self, scheme: str) -> None:
        sent = headers(("Authorization", f"{scheme} {with_secret(claims())}"))

        assert (await authenticator().authenticate(sent)).subject == "ada"

    async def test_nothing(self) -> None:
        with pytest.raises(CredentialRefused) as refused:
            await authenticator().authenticate(headers())

        assert refused.value.reason == "missing"
        assert refused.value.headers["WWW-Authenticate"] == 'Bearer realm="ml-platform"'

    async def test_nothing_where_authentication_is_off(self) -> None:
        assert await authenticator(enabled=False).authenticate(headers()) is ANONYMOUS

    async def test_wrong_token_is_refused_where_authentication_is_off_too(self) -> None:
        with pytest.raises(CredentialRefused):
            await authenticator(enabled=False).authenticate(headers(("Authorization", "Bearer wrong")))

    @pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer  ", "token"])
    async def test_another_scheme(self, value: str) -> None:
        with pytest.raises(CredentialRefused) as refused:
            await authenticator().authenticate(headers(("Authorization", value)))

        assert refused.value.reason == "malformed"

    @pytest.mark.parametrize("second", [("Authorization", "Bearer x"), ("X-API-Key", "mlk_x")])
    async def test_two_credentials(self, second: tuple[str, str]) -> None:
        sent = headers(("Authorization", f"Bearer {with_secret(claims())}"), second)

        with pytest.raises(CredentialAmbiguous) as refused:
            await authenticator().authenticate(sent)

        assert refused.value.status == 400

    async def test_a_key_sent_as_a_bearer_token_is_checked_as_a_key(self) -> None:
        with pytest.raises(CredentialRefused) as refused:
            await authenticator().authenticate(headers(("Authorization", "Bearer mlk_x.y")))

        assert refused.value.reason == "key_unknown"
