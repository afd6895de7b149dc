"""What a folder must hold before its cross-encoder is loaded: nothing that runs code of its own."""

from pathlib import Path

from mlplatform.embedders.errors import EmbedderError
from mlplatform.embedders.folder import MODULES, check_files, check_modules

CONFIG = "config.json"


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no cross-encoder, or whose loading could run code.

    Cross-encoders saved before version 6 of the library have no list of modules.

    Raises:
        EmbedderError: It names the file that is wrong.
    """
    if not (folder / CONFIG).is_file():
        raise EmbedderError(f"{folder} has no {CONFIG}: save the model with CrossEncoder(...).save_pretrained(FOLDER)")
    if (folder / MODULES).is_file():
        check_modules(folder)
    check_files(folder)
