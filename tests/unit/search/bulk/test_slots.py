import pytest

from services.search.bulk.slots import Slots
from services.search.errors import TooManyUploads


class TestSlots:
    def test_no_tenant_takes_all(self):
        slots = Slots(3, 2)
        held = [slots.take("acme"), slots.take("acme")]

        with pytest.raises(TooManyUploads):
            slots.take("acme")
        held.append(slots.take("zeta"))
        with pytest.raises(TooManyUploads):
            slots.take("omni")

    def test_one_that_was_given_back_is_free(self):
        slots = Slots(1, 1)
        slot = slots.take("acme")
        slots.free(slot)

        assert slots.take("zeta").tenant == "zeta"

    def test_one_that_nobody_holds_is_free(self):
        slots = Slots(1, 1)
        slot = slots.take("acme")
        del slot

        assert slots.take("zeta").tenant == "zeta"
