"""A program that the supervisor keeps running."""

import hashlib
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mlplatform.stack.files import write_private
from mlplatform.stack.home import Home

LOG_BYTES = "10MB"
LOG_BACKUPS = 3
# The supervisor waits one second longer after each failed start; it must never give up.
START_RETRIES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Program:
    """How to run one part of the stack.

    Attributes:
        name: The name users see.
        argv: Program and arguments; no secret belongs here, since every user of the machine can read them.
        probe: Raises when the part does not do its work.
        environment: What the process gets besides the supervisor's own environment.
        user: System user to run as; the one who runs `mlp` when None.
        stop_signal: Signal that makes it finish its work and exit.
        stop_seconds: How long that may take.
        url: Where users find it; None for what only the platform itself talks to.
        files: Name and content of private files that it reads from the run folder.
    """

    name: str
    argv: tuple[str, ...]
    probe: Callable[[], None]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    url: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    def script(self) -> str:
        """Return a shell script that becomes the program, with its environment set."""
        exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(self.environment.items())]
        return "\n".join(["#!/bin/sh", *exports, f"exec {shlex.join(self.argv)}", ""])

    def section(self, home: Home) -> str:
        """Return the supervisor's section; writes the script that it names and the program's files."""
        for name, content in self.files.items():
            write_private(home.run / name, content)
        if self.environment:
            # Secrets travel in a private file; the supervisor's own environment= setting cannot hold quotes.
            script = home.run / f"{self.name}.sh"
            write_private(script, self.script())
            command = f"/bin/sh {shlex.quote(str(script))}"
        else:
            command = shlex.join(self.argv)
        settings = {
            "command": command,
            "directory": str(home.data if self.user else home.directory),
            # The revision makes the supervisor see a changed script as a changed program.
            "environment": f'{marker(home, self.name)},ML_STACK_REVISION="{self.revision()}"',
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": str(START_RETRIES),
            "stopsignal": self.stop_signal,
            "stopwaitsecs": str(self.stop_seconds),
            "killasgroup": "true",
            "stdout_logfile": str(home.log(self.name)),
            "stdout_logfile_maxbytes": LOG_BYTES,
            "stdout_logfile_backups": str(LOG_BACKUPS),
            "redirect_stderr": "true",
        }
        if self.user:
            settings["user"] = self.user
        return section(f"program:{self.name}", settings)

    def revision(self) -> str:
        """Return a digest of all that makes the process what it is."""
        whole = self.script() + "".join(f"{name}\0{content}\0" for name, content in sorted(self.files.items()))
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


def marker(home: Home, name: str) -> str:
    """Return the setting by which a process is known as this stack's own, even without its supervisor."""
    return f'ML_STACK_OF="{home.root}",ML_STACK_PROGRAM="{name}"'


def section(name: str, settings: Mapping[str, str]) -> str:
    """Render one section; a percent sign starts an expansion there."""
    return "\n".join([f"[{name}]", *(f"{key}={value.replace('%', '%%')}" for key, value in settings.items()), "", ""])
