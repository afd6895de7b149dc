"""What a stack remembers between starts: its passwords, its ports, and where its socket is."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Self

from mlplatform.stack.files import write_private
from mlplatform.stack.home import Home

GENERATED = (
    "postgres_admin",
    "postgres_owner",
    "postgres_app",
    "postgres_mlflow",
    "redis",
    "s3_access",
    "s3_secret",
    "jwt",
    "api_key_pepper",
)
SECRET_BYTES = 32
ACCESS_KEY_BYTES = 10

# Experiment ids count from 1 in a new MLflow, and its server creates this one before it answers anybody.
FIRST_EXPERIMENT = "1"


@dataclass(slots=True)
class State:
    """Generated once, kept until `reset`.

    Attributes:
        secrets: Password of each part.
        ports: Port of each part.
        socket: Path of the supervisor's socket.
        postgres: Folder of the Postgres data.
        settings: What the user set by `ML_` variables at some `up`; kept until set anew.
        traces_experiment: Id of the MLflow experiment that takes the traces.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    socket: str = ""
    postgres: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    traces_experiment: str = FIRST_EXPERIMENT

    @classmethod
    def load(cls, home: Home) -> Self:
        """Read the state of a stack; a stack that has none yet gets new passwords."""
        known = json.loads(home.state_file.read_text(encoding="utf-8")) if home.state_file.is_file() else {}
        state = cls(**known)
        for name in GENERATED:
            length = ACCESS_KEY_BYTES if name == "s3_access" else SECRET_BYTES
            # Hexadecimal: needs no quoting in a URL, a configuration file or a shell.
            state.secrets.setdefault(name, secrets.token_hex(length))
        return state

    def save(self, home: Home) -> None:
        """Write the state, readable by its owner only."""
        write_private(home.state_file, json.dumps(asdict(self), indent=2))
