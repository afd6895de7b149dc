"""Waiting until serving answers with a version."""

import asyncio
import time
from dataclasses import dataclass
from urllib.parse import quote

import httpx
from httpx import codes

from mlplatform.registry.settings import PromotionSettings

FIRST_WAIT = 0.05
LONGEST_WAIT = 1.0
GROWTH = 1.3
FOR_GOOD = -1.0


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Whether serving answers with a version.

    Attributes:
        seconds: Since the alias was moved, or since the wait began where that is not known; None when it does not.
        reason: Why it does not.
        asked: The addresses that were asked. One replica answers at each; of those behind an address one was seen.
    """

    seconds: float | None
    reason: str | None = None
    asked: tuple[str, ...] = ()


async def wait_served(settings: PromotionSettings, model: str, version: str, since: float | None) -> Confirmation:
    """Ask serving which version of a model it has in production until it is this one, at every address given.

    Args:
        settings: Where serving is, the token to ask with, and how long to wait.
        model: Registered name.
        version: Which version.
        since: When the alias was moved, by `time.monotonic`.
    """
    began = since or time.monotonic()
    deadline = time.monotonic() + settings.promotion_served_timeout.total_seconds()
    headers = {} if settings.token is None else {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    asked = settings.promotion_served_urls or (settings.serving_url,)
    waiting = [f"{address}/api/v1/models/{quote(model, safe='')}" for address in asked]
    wait = FIRST_WAIT
    async with httpx.AsyncClient(headers=headers, timeout=settings.dependency_timeout.total_seconds()) as client:
        while True:
            answers = await asyncio.gather(*(_ask(client, url, version) for url in waiting))
            found = zip(waiting, answers, strict=True)
            left = [(url, reason, again) for url, (served, reason, again) in found if not served]
            if not left:
                return Confirmation(time.monotonic() - began, asked=asked)
            pauses = [again for _, _, again in left]
            pause = max(wait, *pauses)
            if FOR_GOOD in pauses or time.monotonic() + pause > deadline:
                return Confirmation(None, _reason(left, len(asked)), asked)
            await asyncio.sleep(pause)
            waiting = [url for url, _, _ in left]
            wait = min(wait * GROWTH, LONGEST_WAIT)


async def _ask(client: httpx.AsyncClient, url: str, version: str) -> tuple[bool, str, float]:
    """Say whether the version serves, why not, and how many seconds to leave it alone; less than 0 is for good."""
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        return False, f"serving does not answer at {url}: {type(error).__name__}", 0
    if answer.is_error:
        return False, *_refusal(answer)
    state = answer.json()
    found = [entry["version"] for entry in state["loaded"] if entry["role"] == "production"]
    failure = state["failure"]
    if failure is not None and failure["version"] == version:
        return False, f"serving cannot load it: {failure['reason']}", FOR_GOOD
    return version in found, f"serving has version {', '.join(found) or 'none'}", 0


def _refusal(answer: httpx.Response) -> tuple[str, float]:
    if answer.status_code == codes.TOO_MANY_REQUESTS:
        return "serving turns requests away: too many", float(answer.headers.get("retry-after", 1))
    if answer.status_code in (codes.UNAUTHORIZED, codes.FORBIDDEN):
        return f"serving answers {answer.status_code}: set ML_TOKEN to a token that may read models", FOR_GOOD
    return f"serving answers {answer.status_code}", 0


def _reason(left: list[tuple[str, str, float]], asked: int) -> str:
    if asked == 1:
        return left[0][1]
    return "; ".join(f"{url.partition('/api/')[0]}: {reason}" for url, reason, _ in left)
