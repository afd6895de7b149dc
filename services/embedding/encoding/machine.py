"""What computes: the processor and the GPUs of this machine."""

import platform
from functools import lru_cache
from pathlib import Path

import structlog
import torch
from pydantic import BaseModel, ConfigDict

CPUINFO = Path("/proc/cpuinfo")
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
BF16_CAPABILITY = 8
"""Generation of Nvidia's GPUs from which they have bf16 in instructions (CUDA C++ Programming Guide, Compute
Capabilities); all of AMD's that PyTorch runs on have it."""

log = structlog.get_logger(__name__)


class Gpu(BaseModel):
    """A GPU that PyTorch can use.

    Attributes:
        name: As its driver calls it.
        bf16: Whether it has bf16 in instructions, and PyTorch need not emulate it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    bf16: bool


class Machine(BaseModel):
    """A machine, as far as it decides which backend is fastest.

    Attributes:
        processor: Its name and what its instructions can do.
        bf16: Whether PyTorch has bf16 in instructions there; where it has not, bf16 is far slower than fp32.
        gpus: Those that this process sees; it computes on the first.
    """

    model_config = ConfigDict(frozen=True)

    processor: str
    bf16: bool
    gpus: tuple[Gpu, ...] = ()

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of all that can compute, the processor first: figures of other devices say nothing about these."""
        return (self.processor, *(gpu.name for gpu in self.gpus))


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """Look what this process can compute with."""
    able = sorted(name for name, value in torch.cpu.get_capabilities().items() if value is True)
    return Machine(
        processor=f"{_model_name()} ({' '.join(able)})",
        bf16=any(name in able for name in BF16_INSTRUCTIONS),
        gpus=_gpus(),
    )


def _gpus() -> tuple[Gpu, ...]:
    """Return the GPUs; none where the driver fails, so that the processor serves."""
    if not torch.cuda.is_available():
        return ()
    try:
        return tuple(_gpu(number) for number in range(torch.cuda.device_count()))
    except RuntimeError as error:
        log.warning("embedding.gpu_unusable", error=str(error))
        return ()


def _gpu(number: int) -> Gpu:
    """Describe a GPU by what its driver says; to make it the current one would take some of its memory."""
    newest = torch.version.hip is not None or torch.cuda.get_device_capability(number)[0] >= BF16_CAPABILITY
    return Gpu(name=torch.cuda.get_device_name(number), bf16=newest)


def _model_name() -> str:
    if CPUINFO.is_file():
        for line in CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
