"""What a folder must hold before its model is loaded: nothing that runs code of its own."""

from pathlib import Path

import orjson

from mlplatform.embedders.errors import EmbedderError

MODULES = "modules.json"
LIBRARY = "sentence_transformers."
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
CODE = frozenset({".py", ".pyc", ".so"})
LEFT_OUT = frozenset({".git", ".cache", "__pycache__", ".gitattributes", "onnx", "openvino"})
"""Names that a hub or a version control puts beside a model."""


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no model of sentence-transformers, or whose loading could run code.

    Raises:
        EmbedderError: It names the file that is wrong.
    """
    if not folder.is_dir():
        raise EmbedderError(f"{folder} is no folder")
    if not (folder / MODULES).is_file():
        raise EmbedderError(f"{folder} has no {MODULES}: save the model with SentenceTransformer(...).save(FOLDER)")
    check_modules(folder)
    check_files(folder)


def check_modules(folder: Path) -> None:
    """Refuse modules that are not those of the library.

    Raises:
        EmbedderError: There are others, or the list of modules cannot be read.
    """
    try:
        kinds = [str(module["type"]) for module in orjson.loads((folder / MODULES).read_bytes())]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise EmbedderError(f"{folder / MODULES} is not a list of modules") from error
    foreign = [kind for kind in kinds if not kind.startswith(LIBRARY)]
    if foreign:
        raise EmbedderError(f"its module {foreign[0]} is code of the model's own, which is never run here")


def check_files(folder: Path) -> None:
    """Refuse files that could run code when they are loaded, and a folder without weights.

    Raises:
        EmbedderError: It names the file.
    """
    files = list(model_files(folder))
    for path in files:
        if path.suffix in CODE:
            raise EmbedderError(f"{path.relative_to(folder)} is code, and code of models is never run here")
        if path.suffix in PICKLED:
            raise EmbedderError(
                f"{path.relative_to(folder)} may run code when it is loaded: "
                "save the model with safe_serialization=True, and remove the file"
            )
        if path.name == "config.json" and b'"auto_map"' in path.read_bytes():
            raise EmbedderError(f"{path.relative_to(folder)} names code of the model's own, which is never run here")
    if not any(path.suffix == ".safetensors" for path in files):
        raise EmbedderError(f"{folder} holds no weights: there is no .safetensors file")


def model_files(folder: Path) -> list[Path]:
    """Return the files of a model, without what tools put beside it."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not LEFT_OUT.intersection(path.relative_to(folder).parts)
    ]
