"""What computes: the processor of this machine."""

import platform
from functools import lru_cache
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")


@lru_cache(maxsize=1)
def processor() -> str:
    """Name the processor and what its instructions can do, so that another machine's name differs where it matters."""
    capabilities = torch.cpu.get_capabilities()
    able = sorted(name for name, value in capabilities.items() if value is True)
    return f"{_model_name()} ({' '.join(able)})"


def computes_bf16() -> bool:
    """Whether PyTorch has bf16 in instructions here; where it has not, bf16 is far slower than fp32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _model_name() -> str:
    if CPUINFO.is_file():
        for line in CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
