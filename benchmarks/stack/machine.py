"""Where and when figures were taken."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil


def describe() -> dict[str, object]:
    """Return date, processor, cores, memory, with what Postgres may take of it in huge pages, and versions."""
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "huge_pages_mib": _huge_pages() >> 20,
        "python": platform.python_version(),
        "mlflow": version("mlflow"),
    }


def _huge_pages() -> int:
    """Return the bytes that the system keeps as huge pages, used or not."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields.get("HugePages_Total", "0")) * int(fields.get("Hugepagesize", "0").split()[0]) * 1024
