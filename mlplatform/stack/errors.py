"""What can go wrong with the embedded stack; each message says how to mend it.

* StackError
  + PackageMissing
  + PortTaken
  + ProgramMissing
  + StackUnhealthy
"""

from collections.abc import Mapping


class StackError(Exception):
    """The stack cannot do what was asked."""


class PackageMissing(StackError):
    """A package that brings a part of the stack is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"the package {package} is not installed; run: make install")


class PortTaken(StackError):
    """Another program listens on a port that the stack needs at a fixed place."""

    def __init__(self, *, part: str, port: int, owner: str | None, variable: str) -> None:
        held = f"is held by {owner}" if owner else "is held by another program"
        super().__init__(f"port {port} for {part} {held}; stop it, or choose another port: {variable}=PORT mlp up")
        self.port = port
        self.variable = variable


class ProgramMissing(StackError):
    """A program that the settings ask for is not on PATH."""

    def __init__(self, *, program: str, variable: str, value: str) -> None:
        super().__init__(f"{variable}={value} needs the program '{program}' on PATH; install it, or unset {variable}")


class StackUnhealthy(StackError):
    """Some parts did not become healthy in time.

    Attributes:
        parts: Name of each such part and the last lines of its log.
    """

    def __init__(self, parts: Mapping[str, str], reasons: Mapping[str, str]) -> None:
        lines = [f"not healthy: {', '.join(parts)}"]
        for name, tail in parts.items():
            lines += [f"--- {name}: {reasons[name]}", tail or "(its log is empty)", f"--- all of it: mlp logs {name}"]
        super().__init__("\n".join(lines))
        self.parts = parts
