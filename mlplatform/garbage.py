"""How often Python's garbage collector looks through what a service holds."""

import gc

THRESHOLDS = (50_000, 20, 10)
"""New objects before the youngest are looked through, and how often that is before the older ones are."""


def collect_seldom() -> None:
    """Look through new objects seldom, and never again through those that are there now: modules and their classes.

    A request makes hundreds of objects and hardly any in cycles, which alone need the collector. By Python's own
    thresholds it looks through the objects of the requests in flight several times before they are gone by themselves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
