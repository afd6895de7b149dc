"""What to choose a backend for, and from."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from services.embedding.encoding.exports import Exports
from services.embedding.encoding.machine import Machine, this_machine
from services.embedding.encoding.names import AUTO, ON_GPUS, REFERENCE, BackendName, Wanted, stand_ins
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
        machine: What there is to compute with.
    """

    model_config = ConfigDict(frozen=True)

    folder: Path
    digest: str
    cache: Path
    wanted: Wanted = AUTO
    threads: int = 1
    token_budget: int = 2048
    gpu_token_budget: int = 16384
    machine: Machine = Field(default_factory=this_machine)

    def records(self) -> Records:
        """Open the record of what was measured here."""
        return Records(self.cache / "records", self.digest, self.threads, self.machine)

    def exports(self) -> Exports:
        """Open the exports of the model."""
        return Exports(self.cache / "exports", self.digest)

    def budget(self, name: BackendName) -> int:
        """Return the most tokens of a batch of a backend."""
        return self.gpu_token_budget if name in ON_GPUS else self.token_budget

    def candidates(self) -> tuple[BackendName, ...]:
        """Return what is to be tried, in order. Without a GPU one of its backends stands for all."""
        if self.wanted != AUTO:
            return tuple(dict.fromkeys((REFERENCE, self.wanted, *stand_ins(self.wanted))))
        return (REFERENCE, *(ON_GPUS if self.machine.gpus else ON_GPUS[:1]), *ON_PROCESSORS)

    def next_candidate(self, record: Record) -> BackendName | None:
        """Return what is to be tried next, None when all is known.

        Beside a GPU that computes the model, the processor is not looked at, and other precisions of the GPU only where
        it cannot have the first.
        """
        untried = (name for name in self.candidates() if record.find(name) is None)
        return next((name for name in untried if not any(map(record.serves, self._better(name)))), None)

    def finalists(self, record: Record) -> tuple[BackendName, ...]:
        """Return what is to be compared when all is tried: only `auto` chooses the fastest."""
        return record.finalists() if self.wanted == AUTO and self.next_candidate(record) is None else ()

    def is_open(self, record: Record) -> bool:
        """Whether something is still to be measured."""
        return self.next_candidate(record) is not None or bool(self.finalists(record))

    def _better(self, name: BackendName) -> tuple[str, ...]:
        """Return the backends beside which one is not looked at."""
        if name in ON_GPUS:
            return (ON_GPUS[0] if self.wanted == AUTO else self.wanted,)
        return ON_GPUS if self.wanted == AUTO and name != REFERENCE else ()


def obstacle(name: BackendName, machine: Machine) -> str | None:
    """Say why a machine cannot run a backend, None when it may try."""
    if name in ON_GPUS and not machine.gpus:
        return "there is no GPU that PyTorch can use"
    if name == "torch-cuda-bf16" and not machine.gpus[0].bf16:
        return f"the GPU {machine.gpus[0].name} has no bf16 instructions"
    if name in {"torch-bf16", "openvino-bf16"} and not machine.bf16:
        return "the processor has no bf16 instructions"
    return None
