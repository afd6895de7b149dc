"""Artifacts that a service of this test process has downloaded, which the next one finds on its disk.

A download takes a request for each file and more; tests publish the same few models again and again.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def lend(folder: Path, keys: Iterable[str] | None = None) -> None:
    """Put entries that were kept into the cache of a service that starts, unless one has used it before.

    Args:
        folder: The cache.
        keys: Names of the entries, as far as they were downloaded before; all unless told.
    """
    if any(folder.glob("*/digest")):
        return
    kept = {entry.name for entry in _kept().iterdir()}
    for key in kept.intersection(kept if keys is None else keys):
        shutil.copytree(_kept() / key, folder / key)


def keep(folder: Path) -> None:
    """Keep the entries of the cache of a service that has ended."""
    for mark in folder.glob("*/digest"):
        place = _kept() / mark.parent.name
        if not place.exists():
            shutil.copytree(mark.parent, place, ignore=shutil.ignore_patterns("__pycache__"))


@cache
def _kept() -> Path:
    folder = tempfile.mkdtemp(prefix="mlp-artifacts-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
