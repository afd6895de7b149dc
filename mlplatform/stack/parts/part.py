"""What one part adds to the stack."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from mlplatform.certificates import certificates
from mlplatform.stack.home import Home
from mlplatform.stack.program import Program
from mlplatform.stack.state import State

PROBE_SECONDS = 2.0
HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack.

    Attributes:
        values: Settings by which others reach it.
        program: What provides it; None when it is somewhere else.
    """

    values: Mapping[str, str]
    program: Program | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What the parts are made from.

    Attributes:
        home: Where the stack keeps its files.
        state: Its passwords and ports.
        settings: What the user set; a URL here replaces the embedded part.
        path: Search path for programs.
    """

    home: Home
    state: State
    settings: Mapping[str, str]
    path: str

    @property
    def host(self) -> str:
        """Address that the public parts listen on."""
        return self.settings.get("ML_HOST", "127.0.0.1")

    @property
    def reachable_host(self) -> str:
        """Address at which this machine reaches the public parts."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound

    def given(self, *names: str) -> dict[str, str]:
        """Return those of the named settings that the user set."""
        return {name: self.settings[name] for name in names if name in self.settings}


def probe_http(url: str) -> None:
    """Raise unless `url` answers 200.

    Raises:
        httpx.HTTPError: when it does not; the message says why.
    """
    response = httpx.get(url, timeout=PROBE_SECONDS, trust_env=False, verify=certificates())
    if response.status_code != HTTP_OK:
        raise httpx.HTTPStatusError(
            f"{response.status_code}: {response.text[:300]}", request=response.request, response=response
        )
