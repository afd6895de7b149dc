"""Where a run comes from: code, user and libraries."""

import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from mlplatform.auth.system_user import system_user

FOLDER = Path(__file__).parent
SERVED = ("mlflow", "numpy", "pandas")
"""What loading the model needs."""
TRAINED = (*SERVED, "lightgbm", "matplotlib", "optuna", "scikit-learn", "scipy")
"""What training needs."""


def requirements(names: tuple[str, ...]) -> list[str]:
    """Pin libraries to the versions that are installed."""
    return [f"{name}=={version(name)}" for name in names]


def tags() -> dict[str, str]:
    """Return the user, and the commit of this code and whether it was changed since; `unknown` outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--", str(FOLDER))
    return {
        "user": system_user(),
        "git.commit": commit or "unknown",
        "git.dirty": "unknown" if changes is None else str(bool(changes)).lower(),
    }


def _git(*arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run(  # noqa: S603 - fixed arguments
        [git, "-C", str(FOLDER), *arguments], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else None
