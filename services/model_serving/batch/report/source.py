"""What the chunk says that is to write a report."""

from typing import Any

SOURCE: dict[str, Any] = {"type": "report"}
