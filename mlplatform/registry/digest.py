"""Digest of a folder of artifacts."""

import hashlib
from pathlib import Path

NOT_PART_OF_A_MODEL = frozenset({"registered_model_meta"})
"""MLflow adds this file to what it downloads by the name of a registered model."""


def artifact_digest(path: Path) -> str:
    r"""Digest the files below a folder, whatever order the file system lists them in.

    Args:
        path: The folder that holds `MLmodel`.

    Returns:
        Hex SHA-256 over the sorted lines `relative path \0 hex sha256 of the file \n`.

    Raises:
        ValueError: When the folder is missing or empty, or holds a link, which could point outside it.
    """
    lines = []
    for entry in sorted(path.rglob("*"), key=lambda entry: entry.relative_to(path).as_posix()):
        name = entry.relative_to(path).as_posix()
        if entry.is_symlink():
            raise ValueError(f"{name} is a link; artifacts must be plain files.")
        if entry.is_file() and name not in NOT_PART_OF_A_MODEL:
            with entry.open("rb") as file:
                lines.append(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    if not lines:
        raise ValueError(f"{path} holds no artifacts.")
    return hashlib.sha256(b"".join(lines)).hexdigest()
