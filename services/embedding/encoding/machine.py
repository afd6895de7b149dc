"""What computes: the processor and the GPUs of this machine."""

import platform
from functools import lru_cache
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict

CPUINFO = Path("/proc/cpuinfo")
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")


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
        gpus=tuple(_gpu(number) for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)),
    )


def _gpu(number: int) -> Gpu:
    with torch.cuda.device(number):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Gpu(name=torch.cuda.get_device_name(number), bf16=bf16)


def _model_name() -> str:
    if CPUINFO.is_file():
        for line in CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
