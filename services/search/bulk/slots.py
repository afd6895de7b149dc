"""How many uploads are read at a time."""

from weakref import WeakSet

from services.search.errors import TooManyUploads


class Slot:
    """The place of one upload.

    Args:
        tenant: Whose upload it is.
    """

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant


class Slots:
    """The places that there are. One that nobody holds any more is free, whether or not it was given back.

    Args:
        most: In all.
        most_of_tenant: Of one tenant, so that it leaves some to the others.
    """

    def __init__(self, most: int, most_of_tenant: int) -> None:
        self._most = most
        self._most_of_tenant = most_of_tenant
        self._taken: WeakSet[Slot] = WeakSet()

    def take(self, tenant: str) -> Slot:
        """Take a place.

        Raises:
            TooManyUploads: None is left for the tenant.
        """
        own = sum(slot.tenant == tenant for slot in self._taken)
        if len(self._taken) >= self._most or own >= self._most_of_tenant:
            raise TooManyUploads
        slot = Slot(tenant)
        self._taken.add(slot)
        return slot

    def free(self, slot: Slot) -> None:
        """Give a place back."""
        self._taken.discard(slot)
