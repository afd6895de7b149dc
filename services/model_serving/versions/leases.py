"""The artifacts on disk that versions in memory come from, which the cache must keep."""

from collections.abc import Callable

from mlplatform.registry.cache import Lease


class Leases:
    """One lease per cache entry, however many versions come from it.

    Args:
        take: takes a lease of an entry.
    """

    def __init__(self, take: Callable[[str], Lease]) -> None:
        self._take = take
        self._held: dict[str, tuple[Lease, int]] = {}

    def hold(self, key: str) -> None:
        """Keep an entry for one more version."""
        lease, users = self._held.get(key) or (self._take(key), 0)
        self._held[key] = lease, users + 1

    def let_go(self, key: str) -> None:
        """Keep an entry for one version less."""
        lease, users = self._held.get(key, (None, 0))
        if lease is None:  # closed, or already let go
            return
        if users > 1:
            self._held[key] = lease, users - 1
        else:
            del self._held[key]
            lease.release()

    def close(self) -> None:
        """Let all go."""
        while self._held:
            self._held.popitem()[1][0].release()
