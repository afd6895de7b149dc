"""From the headers of a request to a principal."""

from starlette.datastructures import Headers

from mlplatform.auth.api_keys import KEY_PREFIX
from mlplatform.auth.errors import CredentialAmbiguous, CredentialRefused
from mlplatform.auth.key_verifier import KeyVerifier
from mlplatform.auth.principal import ANONYMOUS, Principal
from mlplatform.auth.tokens import TokenVerifier
from mlplatform.database.pool import Database
from mlplatform.settings.base import PlatformSettings

API_KEY_HEADER = "X-API-Key"
AUTHORIZATION = b"authorization"
CREDENTIALS = frozenset({AUTHORIZATION, API_KEY_HEADER.lower().encode()})


class Authenticator:
    """Decides who calls. Whatever goes wrong while deciding, nobody is let in."""

    def __init__(self, settings: PlatformSettings, database: Database) -> None:
        self._required = settings.auth_enabled
        self._tokens = TokenVerifier(settings)
        self._keys = KeyVerifier(settings, database)

    async def authenticate(self, headers: Headers) -> Principal:
        """Return the caller; the anonymous one only where authentication is off and nothing was presented.

        Raises:
            CredentialRefused: nothing was presented, or it proves nobody.
            CredentialAmbiguous: more than one credential was presented.
            DependencyUnavailable: the issuer's keys cannot be fetched, or an API key was presented and Postgres does
                not answer.
        """
        presented = [(name, value.decode("latin-1")) for name, value in headers.raw if name in CREDENTIALS]
        if len(presented) > 1:
            raise CredentialAmbiguous("more than one credential was sent; send one, as Authorization or as X-API-Key")
        if presented:
            name, value = presented[0]
            if name != AUTHORIZATION:
                return await self._keys.verify(value)
            token = _bearer_token(value)
            # Clients of the OpenAI API send their key as a bearer token and cannot send it otherwise.
            if token.startswith(KEY_PREFIX):
                return await self._keys.verify(token)
            return await self._tokens.verify(token)
        if self._required:
            raise CredentialRefused("missing", "send 'Authorization: Bearer <token>' or 'X-API-Key: <key>'")
        return ANONYMOUS


def _bearer_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise CredentialRefused("malformed", "the header Authorization must be 'Bearer <token>'")
    return token.strip()
