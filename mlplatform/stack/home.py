"""The folder that holds everything of one stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlplatform.stack.errors import StackError

FOLDER = ".mlp"
# What may be there before the first `up`: the lock of the command itself, and the caches of services run by hand.
EXPECTED = frozenset({"lock", "cache", "serving"})


@dataclass(frozen=True, slots=True)
class Home:
    """The state folder of one stack; `reset` removes it whole, and so it must be the stack's own."""

    root: Path

    @property
    def env_file(self) -> Path:
        """Settings of the running stack, secrets among them."""
        return self.root / "stack.env"

    @property
    def state_file(self) -> Path:
        """Generated passwords and chosen ports."""
        return self.root / "state.json"

    @property
    def marker(self) -> Path:
        """Says that the folder was made for a stack: what `reset` may delete."""
        return self.root / ".made-by-mlp-up"

    @property
    def is_own(self) -> bool:
        """Whether the folder was made for a stack."""
        return self.marker.is_file()

    @property
    def lock_file(self) -> Path:
        """Held by whoever starts, stops or removes the stack."""
        return self.root / "lock"

    @property
    def data(self) -> Path:
        """What the stores keep."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One log for each program."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Configuration of the supervisor and of the programs, written anew by each `up`."""
        return self.root / "run"

    @property
    def directory(self) -> Path:
        """Working directory of the programs: where the user's `.env` is."""
        return self.root.parent

    def create(self) -> None:
        """Create the folders, closed to others.

        Raises:
            StackError: when the folder holds something else: the user's own files, say, by a wrong `ML_HOME`.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.is_own:
            foreign = sorted({path.name for path in self.root.iterdir()} - EXPECTED)
            if foreign:
                raise StackError(f"{self.root} holds other files ({foreign[0]}); set ML_HOME to a new or empty folder")
            self.marker.touch(mode=0o600)
        for folder in (self.data, self.logs, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)

    def log(self, program: str) -> Path:
        """Return the log of one program."""
        return self.logs / f"{program}.log"


def find_home(environment: Mapping[str, str], start: Path) -> Home:
    """Return the home named by `ML_HOME`, else the `.mlp` of this project.

    The project is the nearest folder at or above `start` with a `.mlp`, else with a `pyproject.toml`, else `start`.
    """
    named = environment.get("ML_HOME")
    if named:
        return Home(Path(named).expanduser().absolute())
    folders = (start.absolute(), *start.absolute().parents)
    for marker in (FOLDER, "pyproject.toml"):
        for folder in folders:
            if (folder / marker).exists():
                return Home(folder / FOLDER)
    return Home(start.absolute() / FOLDER)
