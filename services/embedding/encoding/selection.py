"""What to choose a backend for, and from."""

from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

from services.embedding.encoding.exports import Exports
from services.embedding.encoding.machine import computes_bf16
from services.embedding.encoding.names import AUTO, GPU, REFERENCE, BackendName, Wanted
from services.embedding.encoding.trials import Record, Records

ON_PROCESSORS: tuple[BackendName, ...] = (
    "openvino-int8",
    "openvino-bf16",
    "openvino-fp32",
    "onnx-int8",
    "torch-bf16",
)


class Selection(BaseModel):
    """A model on this machine.

    Attributes:
        folder: The model, as sentence-transformers saved it.
        digest: Digest of that folder.
        cache: Where exports and records are kept.
        wanted: A backend, or `auto` for the fastest.
        threads: Threads of one batch.
        token_budget: Most tokens of a batch on a processor.
        gpu_token_budget: Most tokens of a batch on a GPU.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    digest: str
    cache: Path
    wanted: Wanted = AUTO
    threads: int = 1
    token_budget: int = 2048
    gpu_token_budget: int = 16384

    def records(self) -> Records:
        """Open the record of what was measured here."""
        return Records(self.cache / "records", self.digest, self.threads)

    def exports(self) -> Exports:
        """Open the exports of the model."""
        return Exports(self.cache / "exports", self.digest)

    def budget(self, name: BackendName) -> int:
        """Return the most tokens of a batch of a backend."""
        return self.gpu_token_budget if name == GPU else self.token_budget

    def candidates(self) -> tuple[BackendName, ...]:
        """Return what is to be tried, in order."""
        if self.wanted != AUTO:
            return tuple(dict.fromkeys((REFERENCE, self.wanted)))
        return (REFERENCE, GPU, *ON_PROCESSORS)

    def next_candidate(self, record: Record) -> BackendName | None:
        """Return what is to be tried next, None when all is known. Beside a GPU the processor is not looked at."""
        on_gpu = record.find(GPU)
        if self.wanted == AUTO and on_gpu is not None and on_gpu.refused is None:
            return None
        return next((name for name in self.candidates() if record.find(name) is None), None)


def obstacle(name: BackendName) -> str | None:
    """Say why this machine cannot run a backend, None when it may try."""
    if name == GPU and not torch.cuda.is_available():
        return "there is no GPU that PyTorch can use"
    if name in {"torch-bf16", "openvino-bf16"} and not computes_bf16():
        return "the processor has no bf16 instructions"
    return None
