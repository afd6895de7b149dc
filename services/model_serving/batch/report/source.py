"""What the chunk says that is to write a report."""

from typing import Any

TYPE = "report"
SOURCE: dict[str, Any] = {"type": TYPE}
