"""The end of a process that can no longer do what it is there for."""

import os
from collections.abc import Callable

import structlog

EXIT_STATUS = os.EX_SOFTWARE
"""Tells whoever starts it again that it did not end because it was told to."""

log = structlog.get_logger(__name__)


class Fault:
    """Ends a server when a part of it has ended that should not, so that it is not up for nothing.

    Attributes:
        has_happened: Whether that is why it ends.
    """

    def __init__(self) -> None:
        self.has_happened = False
        self._stop: Callable[[], None] | None = None

    def attach(self, stop: Callable[[], None]) -> None:
        """Say how the server is ended, in good order."""
        self._stop = stop

    def report(self, part: str, error: BaseException) -> None:
        """End the server.

        Args:
            part: What has ended.
            error: Why; whoever calls this has it logged.
        """
        self.has_happened = True
        log.critical("service.fault", part=part, error=type(error).__name__, exit_status=EXIT_STATUS)
        if self._stop is not None:
            self._stop()
