"""What a run found, as the tests need it."""

from typing import Any


def result() -> dict[str, Any]:
    """Return the figures of a run that reached everything."""
    memory = {"worker": [130.0], "helper": [310.0, 13.0], "scorer": [390.0, 380.0]}
    stored = {"job_seconds": [4.0, 5.0], "script_seconds": [4.0, 4.0], "ratio": 0.9}
    return {
        "machine": {"date": "2026-01-01", "cores": 2, "processor": "cpu", "memory_gib": 8.0, "python": "3.11.7"},
        "load_average_before": 0.1,
        "versions": {"pandas": "3.1.1"},
        "options": {"rounds": 2, "processes": 2, "quick": False},
        "calibration_ms": [50.0, 60.0],
        "table": {
            "rows": 1_000_000,
            "columns": 30,
            "csv_mb": 588.9,
            "same_answers": True,
            "stored": stored,
            "uploaded": stored | {"ratio": 0.4},
            "memory_mb": memory,
            "small": {"rows": 100_000, "memory_mb": memory | {"scorer": [340.0, 330.0]}},
        },
        "images": {
            "images": 1000,
            "batch": 64,
            "same_answers": True,
            "cold_seconds": 2.5,
            "job_seconds": [1.0, 1.1],
            "loop_seconds": [1.0, 1.0],
            "ratio": 0.95,
            "scorer": {"images_per_second": 950.0, "loop_images_per_second": 1000.0, "ratio": 0.95},
        },
        "first": {"jobs": 60, "items": 8, "cold_ms": 900.0, "p50_ms": 60.0, "p95_ms": 110.0, "most_ms": 200.0},
        "fairness": {
            "tenants": 100,
            "interval_s": 0.2,
            "backlog_fewest": 40_000,
            "backlog_lasted": True,
            "idle": {"p50_ms": 60.0, "p95_ms": 100.0, "most_ms": 120.0},
            "busy": {"p50_ms": 90.0, "p95_ms": 220.0, "most_ms": 300.0},
            "ratio": 2.2,
        },
    }
