"""The archive that a process which scores has read last."""

from collections.abc import Callable


class Shelf:
    """Keeps one object of a job, so that an archive is fetched once and not for each chunk of it.

    Objects of uploads never change: no other is ever written under the key of one.
    """

    def __init__(self) -> None:
        self._job: str | None = None
        self._kept: tuple[str, bytes] | None = None

    def begin(self, job: str) -> None:
        """Forget what was read for another job."""
        if job != self._job:
            self._job, self._kept = job, None

    def get(self, key: str, fetch: Callable[[], bytes]) -> bytes:
        """Return an object.

        Args:
            key: Its key.
            fetch: Fetches it; none is in memory meanwhile.
        """
        if self._kept is None or self._kept[0] != key:
            self._kept = None
            self._kept = key, fetch()
        return self._kept[1]
