"""Opening backends, and making the exports that they read."""

from functools import partial
from pathlib import Path

from services.embedding.encoding.backend import Backend, Features
from services.embedding.encoding.exports import Exports
from services.embedding.encoding.graph import GRAPH, write_graph
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.samples import sample_texts
from services.embedding.encoding.selection import Selection
from services.embedding.encoding.tokens import Tokeniser
from services.embedding.encoding.torch_backend import DEVICES, TorchBackend, load_model

GRAPH_KIND = "graph"
KINDS: dict[BackendName, str] = {
    "openvino-int8": "openvino-int8",
    "openvino-bf16": GRAPH_KIND,
    "openvino-fp32": GRAPH_KIND,
    "onnx-int8": "onnx-int8",
}
PAGE_TEXTS = 5
EXAMPLE = ("a short text", "and another one with a few words more")


def open_backend(name: BackendName, selection: Selection, exports: Exports) -> Backend:
    """Load a backend from its export.

    Raises:
        ExportMissingError: Its export is missing or damaged.
        ImportError: Its library is not installed.
        OSError: The model's files are gone.
        RuntimeError: The library cannot load the export.
    """
    if name in DEVICES:
        return TorchBackend(load_model(selection.folder), name)
    folder = exports.find(KINDS[name])
    # Each library takes some 100 MB of memory: only that of the backend in use is loaded.
    if name == "onnx-int8":
        from services.embedding.encoding.onnx_backend import OnnxBackend  # noqa: PLC0415 - see above

        return OnnxBackend(folder / GRAPH, name, threads=selection.threads)
    from services.embedding.encoding.openvino_backend import OpenVinoBackend  # noqa: PLC0415 - see above

    graph = folder / ("model.xml" if name == "openvino-int8" else GRAPH)
    return OpenVinoBackend(graph, name, threads=selection.threads)


def make_export(name: BackendName, selection: Selection, exports: Exports) -> None:
    """Make what a backend reads unless a sound one is there.

    Raises:
        NotExpressibleError: A graph cannot hold the model.
        ImportError: A library is not installed.
    """
    if name in DEVICES:
        return
    kind = KINDS[name]
    if kind == GRAPH_KIND:
        exports.make(kind, partial(_write_graph, selection))
        return
    exports.make(kind, lambda folder: _quantise(name, selection, exports, folder))


def calibration_texts() -> list[str]:
    """Return the texts that ranges are taken from: every other one; backends are judged by the rest."""
    return sample_texts()[::2]


def trial_texts() -> list[str]:
    """Return the texts that backends are judged by."""
    return sample_texts()[1::2]


def timed_texts() -> list[str]:
    """Return the texts that backends are timed on: those they are judged by, and pages that are made of them.

    Most of what is indexed is longer than a sentence, and what is fast at sentences need not be at pages.
    """
    texts = trial_texts()
    pages = [" ".join(texts[start : start + PAGE_TEXTS]) for start in range(0, len(texts), PAGE_TEXTS)]
    return [*texts, *pages]


def _write_graph(selection: Selection, folder: Path) -> None:
    model = load_model(selection.folder, attn_implementation="eager")
    tokeniser = Tokeniser.of(model)
    write_graph(model, tokeniser.pad(tokeniser(EXAMPLE)), folder)


def _quantise(name: BackendName, selection: Selection, exports: Exports, folder: Path) -> None:
    graph = exports.make(GRAPH_KIND, partial(_write_graph, selection)) / GRAPH
    if name == "onnx-int8":
        from services.embedding.encoding.onnx_backend import quantise_graph  # noqa: PLC0415 - see open_backend

        quantise_graph(graph, folder)
        return
    from services.embedding.encoding.quantisation import quantise  # noqa: PLC0415 - see open_backend

    quantise(graph, _calibration(selection), folder)


def _calibration(selection: Selection) -> list[Features]:
    tokeniser = Tokeniser.of(load_model(selection.folder))
    return [tokeniser.pad([tokens]) for tokens in tokeniser(calibration_texts())]
