"""Where a run comes from: code, user and libraries."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from mlplatform.auth.system_user import system_user


def requirements(*names: str) -> list[str]:
    """Pin libraries to the versions that are installed."""
    return [f"{name}=={version(name)}" for name in names]


def source_tags(folder: Path) -> dict[str, str]:
    """Return the user, and the commit of the code and whether it was changed since; `unknown` outside a checkout.

    Args:
        folder: That the code is in.
    """
    changes = _git(folder, "status", "--porcelain", "--", str(folder))
    return {
        "user": system_user(),
        "git.commit": _git(folder, "rev-parse", "HEAD") or "unknown",
        "git.dirty": "unknown" if changes is None else str(bool(changes)).lower(),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run(  # noqa: S603 (fixed arguments)
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else None
