"""A result as a run writes it."""

from typing import Any

from benchmarks.search.cells import CELLS
from benchmarks.search.corpus import TAGS
from benchmarks.search.service import NAME


def timing(p95: float) -> dict[str, Any]:
    return {"queries": 90, "p50_ms": p95 / 2, "p95_ms": p95, "per_second": 100.0, "short": 0, "failed": 0}


def entry(p95: float, recall: float, modes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "settings": "as it comes",
        "filters": {tag: {"recall_at_10": recall, "short_answers": 0} for tag in TAGS},
        "queries": {cell.name: timing(p95) for cell in CELLS if cell.mode in modes},
        "load_seconds": {"items": 2.0, "vectors": 1.0},
        "items_per_second": 3333,
        "bytes": 2**24,
    }


def size(p95: float, recall: float = 0.999) -> dict[str, Any]:
    own = entry(p95, recall, ("hybrid", "vector", "lexical"))
    own["indexing"] = {
        "wait_ms": {"items": 200, "p50": 30.0, "p95": 50.0},
        "bulk": {"items": 20_000, "items_per_second": 6000},
    }
    return {
        "machine": {
            "date": "2026-01-01",
            "processor": "a processor",
            "cores": 2,
            "memory_gib": 8,
            "huge_pages_mib": 0,
            "python": "3.11",
        },
        "options": {"clients": 4, "queries": 100, "recall_queries": 100, "seed": 7},
        "calibration_ms": [80.0, 88.0],
        "encoder": "torch-fp32",
        "embedding": timing(5.0),
        "versions": {"database": {"postgres": "18.0", "pgvector": "0.8.5"}, "chroma": {"chromadb": "1.0", "pip": "9"}},
        "contenders": {NAME: own, "chroma": entry(2 * p95, 0.8, ("vector",))},
        "problems": {},
    }


def result() -> dict[str, Any]:
    return {"sizes": {"10000": size(8.0), "100000": size(14.0), "1000000": size(58.0)}, "not_installed": {}}
