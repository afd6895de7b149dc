"""Where a model comes from: a folder, or a hub that this network may have."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError is that of its HTTP client
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.folder import check_folder, model_files

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
WANTED = ["*.json", "*.txt", "*.safetensors", "*.model"]
"""Files that are fetched from a hub: no code, nothing pickled."""


@contextmanager
def opened(source: str, revision: str | None, check: Callable[[Path], None] = check_folder) -> Iterator[Path]:
    """Yield a folder with the model and nothing else, checked; it is gone after the block.

    Args:
        source: A folder, or an id such as `sentence-transformers/all-MiniLM-L6-v2`.
        revision: Of the hub; None for its newest.
        check: Refuses a folder before anything of it is loaded.

    Raises:
        EmbedderError: There is no such model, or it is refused.
    """
    given = Path(source).expanduser()
    with tempfile.TemporaryDirectory(prefix="model-") as scratch:
        if given.is_dir():
            found = given
        elif HUB_ID.fullmatch(source):
            found = _fetch(source, revision, Path(scratch) / "hub")
        else:
            raise EmbedderError(f"{source} is neither a folder nor an id of a hub, such as owner/model")
        check(found)
        folder = Path(scratch) / "model"
        for path in model_files(found):
            target = folder / path.relative_to(found)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        yield folder


def _fetch(source: str, revision: str | None, folder: Path) -> Path:
    try:
        snapshot_download(source, revision=revision, local_dir=folder, allow_patterns=WANTED)
    except RepositoryNotFoundError as error:
        raise EmbedderError(f"the hub has no model {source}, or does not show it to you") from error
    except RevisionNotFoundError as error:
        raise EmbedderError(f"{source} has no revision {revision} on the hub") from error
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, HTTPError, OSError) as error:
        raise EmbedderError(
            f"{source} cannot be fetched: {type(error).__name__}. Where the hub cannot be reached, give a folder."
        ) from error
    return folder
