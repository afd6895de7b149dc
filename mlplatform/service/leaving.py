"""Telling answers that go on and on that the server ends."""

from collections.abc import Mapping

from fastapi import Request

LEAVING = "leaving"


def leave(scope: Mapping[str, object]) -> None:
    """Note in the scope of a request in flight that the server ends once it is answered."""
    state = scope.get("state")  # uvicorn sets it, of each request its own
    if isinstance(state, dict):
        state[LEAVING] = True


def is_leaving(request: Request) -> bool:
    """Whether the server waits for the answer of a request in order to end; one that has no end by itself ends then."""
    return bool(getattr(request.state, LEAVING, False))
