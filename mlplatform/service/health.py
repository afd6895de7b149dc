"""Say whether the service lives, and whether what it needs answers."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Literal

from pydantic import BaseModel
from structlog import get_logger

from mlplatform.errors import PlatformError

CHECK_SECONDS = 2.0
CACHE_SECONDS = 1.0

Check = Callable[[], Awaitable[object]]

log = get_logger(__name__)


class CheckReport(BaseModel):
    """One dependency."""

    status: Literal["ok", "degraded", "failed"]
    reason: str | None = None


class Degraded(Exception):
    """Raised by a check of something that is not as it should be while requests can be served all the same.

    The report says so, and the process stays ready: another one would be no better off.
    """


class Readiness(BaseModel):
    """All dependencies of a service."""

    status: Literal["ready", "not ready"]
    checks: dict[str, CheckReport]


class HealthChecks:
    """The dependencies of one process, each with a way to ask whether it answers."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._report: Readiness | None = None
        self._expires = 0.0
        self._lock = asyncio.Lock()

    def register(self, name: str, check: Check) -> None:
        """Add a dependency.

        Args:
            name: Its name in the report.
            check: Raises when the dependency does not work, `Degraded` when it does so in part; a text that it
                returns is shown. It has two seconds.
        """
        self._checks[name] = check
        self._report = None

    async def report(self) -> Readiness:
        """Ask every dependency, at most once per second whoever asks."""
        async with self._lock:
            if self._report is None or monotonic() >= self._expires:
                report = await self._ask()
                self._log_changes(report)
                self._report, self._expires = report, monotonic() + CACHE_SECONDS
            return self._report

    async def _ask(self) -> Readiness:
        answers = await asyncio.gather(
            *(asyncio.wait_for(check(), CHECK_SECONDS) for check in self._checks.values()), return_exceptions=True
        )
        checks = {name: _report_of(answer) for name, answer in zip(self._checks, answers, strict=True)}
        healthy = all(check.status != "failed" for check in checks.values())
        return Readiness(status="ready" if healthy else "not ready", checks=checks)

    def _log_changes(self, report: Readiness) -> None:
        before = {} if self._report is None else self._report.checks
        for name, check in report.checks.items():
            was = before.get(name, CheckReport(status="ok")).status
            if check.status != was:
                log.warning("dependency_changed", dependency=name, now=check.status, reason=check.reason)


def _report_of(answer: object) -> CheckReport:
    """Name the failure; a driver's own words stay out, since anybody may read them and they hold addresses."""
    if not isinstance(answer, BaseException):
        return CheckReport(status="ok", reason=answer if isinstance(answer, str) else None)
    if isinstance(answer, Degraded):
        return CheckReport(status="degraded", reason=str(answer))
    if isinstance(answer, TimeoutError):
        return CheckReport(status="failed", reason=f"no answer within {CHECK_SECONDS:g} s")
    if isinstance(answer, PlatformError):
        return CheckReport(status="failed", reason=answer.detail)
    return CheckReport(status="failed", reason=type(answer).__name__)
