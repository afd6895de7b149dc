"""The size of a store that is a folder."""

from pathlib import Path


def size(folder: Path) -> int:
    """Return the bytes of all files in it."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
