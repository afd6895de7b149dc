"""A model as one ONNX graph, from tokens to the embedding: what the other backends start from."""

import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling

from services.embedding.encoding.backend import Features

GRAPH = "model.onnx"
OUTPUT = "embedding"
OPSET = 17
EXPRESSIBLE = (Transformer, Pooling, Dense, LayerNorm, Dropout, Normalize)
"""Modules whose computation depends on nothing but the tensors of the module before: a graph can hold them."""


class NotExpressibleError(Exception):
    """The model has modules that a graph cannot hold."""


def check_expressible(model: SentenceTransformer) -> None:
    """See whether a graph can hold all modules of a model.

    Raises:
        NotExpressibleError: It names those that none can hold.
    """
    others = [type(module).__name__ for module in model if type(module) not in EXPRESSIBLE]
    if others:
        raise NotExpressibleError(f"only PyTorch computes modules of type {', '.join(others)}")


class _Pipeline(torch.nn.Module):  # type: ignore[misc] # torch is not typed here
    """The modules of a model as one function of tensors."""

    def __init__(self, model: SentenceTransformer, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = tuple(names)

    def forward(self, *tensors: torch.Tensor) -> Any:  # noqa: ANN401 - torch is not typed here
        return self.model(dict(zip(self.names, tensors, strict=True)))["sentence_embedding"]


def write_graph(model: SentenceTransformer, example: Features, folder: Path) -> None:
    """Trace a model and write it as ONNX with batches and lengths of any size.

    Args:
        model: The model in fp32 on the processor, with attention in plain operations.
        example: A batch of several texts of several tokens, with padding.
        folder: Where to write.

    Raises:
        NotExpressibleError: The model has modules that a graph cannot hold.
    """
    check_expressible(model)
    names = list(example)
    # torch.export needs onnxscript and names for every size; tracing needs neither and is checked by the gate.
    export: Callable[..., None] = torch.onnx.export
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing in general; what it gets wrong the gate finds
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        export(
            _Pipeline(model, names),
            tuple(torch.from_numpy(example[name]) for name in names),
            folder / GRAPH,
            input_names=names,
            output_names=[OUTPUT],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names} | {OUTPUT: {0: "texts"}},
            opset_version=OPSET,
            dynamo=False,
        )
