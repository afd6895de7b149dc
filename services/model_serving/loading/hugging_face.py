"""What a folder of Hugging Face's libraries can do when it is loaded.

MLflow passes `trust_remote_code=True`: a configuration may then name any Python class, in the folder or on the network.
Only weights in safetensors and configurations without such names are let through.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

DATA = frozenset({".jinja", ".json", ".md", ".model", ".safetensors", ".tiktoken", ".txt", ".yaml", ".yml"})
"""Endings of files that are read as data, `.model` as SentencePiece's vocabulary."""
NAMES = frozenset({".gitattributes", "LICENSE", "README"})
CODE_KEYS = frozenset({"auto_map", "custom_pipelines"})
"""Under these, a configuration names Python code."""
ADAPTER = "adapter_config.json"
"""Makes the library load another model, by name, and put this one on top."""
ENCODER_MODULE = re.compile(
    r"sentence_transformers\.(\w+\.)*(Dense|Dropout|LayerNorm|Normalize|Pooling|StaticEmbedding|Transformer)"
)
"""Modules whose own configuration names no further class, but an activation."""
ACTIVATION = re.compile(r"\w+|torch\.nn\.(modules\.\w+\.)?[A-Z]\w*")


def check_encoder(folder: Path, function: Mapping[str, Any], _native: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a model of Sentence Transformers."""
    data = folder / str(function.get("data"))
    if not data.is_dir():
        return "has no files of a model"
    return _check_folder(data) or _check_modules(data / "modules.json")


def check_pipeline(folder: Path, _function: Mapping[str, Any], native: Mapping[str, Any]) -> str | None:
    """Say what is wrong with a pipeline of Transformers."""
    if native.get("peft_adaptor") or native.get("local_base_model_path"):
        return "is an adapter of another model; merge them before logging"
    model = folder / str(native.get("model_binary", "pipeline"))
    if not model.resolve().is_relative_to(folder.resolve()) or not model.is_dir():
        return "has no weights among its artifacts; log it with save_pretrained=True"
    components = folder / "components"
    return _check_folder(model) or (_check_folder(components) if components.is_dir() else None)


def _check_folder(folder: Path) -> str | None:
    root = folder.resolve()
    for file in sorted(folder.rglob("*")):
        if not file.resolve().is_relative_to(root):
            return f"holds {file.name}, a link to outside of its folder"
        if file.is_dir():
            continue
        if file.name == ADAPTER:
            return "is an adapter of another model; merge them before logging"
        if file.suffix.lower() not in DATA and file.name not in NAMES:
            return f"holds {file.name}; save it with weights in safetensors and without Python files"
        if file.suffix.lower() == ".json" and (fault := _check_configuration(file)):
            return fault
    return None


def _check_configuration(file: Path) -> str | None:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError:
        return f"holds {file.name}, which is no JSON"
    for key, value in _entries(content):
        if key in CODE_KEYS:
            return f"needs trust_remote_code ({key} in {file.name}), which is never given"
        if key == "activation_function" and not (isinstance(value, str) and ACTIVATION.fullmatch(value)):
            return f"names an activation function in {file.name} that is none of PyTorch's"
    return None


def _check_modules(file: Path) -> str | None:
    if not file.is_file():
        return None
    for key, value in _entries(orjson.loads(file.read_bytes())):
        if key == "type" and not (isinstance(value, str) and ENCODER_MODULE.fullmatch(value)):
            return "has a custom module in modules.json, or one that loads others"
    return None


def _entries(content: object) -> Iterator[tuple[str, object]]:
    """Walk over the keys and values of all objects, however deep."""
    waiting = [content]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value.items()
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
