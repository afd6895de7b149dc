"""What was in production when last asked, on disk, so that a restart can serve while MLflow is down."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from structlog import get_logger

from services.model_serving.engine.loaded_model import ModelIdentity

OWNER_ONLY = 0o700
FILE = "production.json"

log = get_logger(__name__)


class LastKnown:
    """A file beside the artifact cache.

    Args:
        folder: the cache; made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def write(self, models: Iterable[ModelIdentity]) -> None:
        """Replace the content; a crash leaves the old one or the new one."""
        self._file.parent.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        fresh = self._file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps([asdict(model) for model in models], indent=1))
        fresh.replace(self._file)

    def read(self) -> list[ModelIdentity]:
        """Return what was written, nothing when there is no file or it is not ours."""
        try:
            return [ModelIdentity(**entry) for entry in json.loads(self._file.read_text())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            log.warning("last_known_unreadable", file=str(self._file), cause=type(error).__name__)
            return []
