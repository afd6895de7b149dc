"""A run as the benchmark would write it."""

from typing import Any

from benchmarks.embedding.names import IN_REQUESTS, LIBRARY, NAME


def contender(rate: float, query: float) -> dict[str, Any]:
    return {
        "settings": "as installed",
        "texts_per_second": rate,
        "texts_per_processor_second": rate / 2,
        "rounds": [rate],
        "whole": {"texts_per_second": rate / 4, "texts_per_processor_second": rate / 8, "rounds": [rate / 4]},
        "query_ms_p50": query,
        "query_ms_p95": 2 * query,
        "cosine_mean": 0.999,
        "cosine_least": 0.99,
    }


def result() -> dict[str, Any]:
    return {
        "collection": "cranfield",
        "documents": 1398,
        "machine": {"date": "2026-11-21", "processor": "EPYC", "cores": 2, "memory_gib": 23.5, "python": "3.11.7"},
        "options": {"rounds": 3, "texts": 320, "backend": "auto"},
        "versions": {NAME: {"torch": "2.13.0", "pip": "9"}, "infinity": {"infinity-emb": "0.0.77"}},
        "missing": {"infinity onnx": "a log\nKilled"},
        "ready_seconds": 4.5,
        "chosen_seconds": 40.1,
        "encoder": {
            "backend": "openvino-int8",
            "choice": {
                "trials": [
                    {
                        "backend": "onnx-int8",
                        "texts_per_second": 300.0,
                        "query_milliseconds": 1.3,
                        "cosine": 0.9,
                        "refused": "too far from fp32",
                    }
                ]
            },
        },
        "contenders": {
            NAME: {**contender(500.0, 3.0), "resident_mib": 640},
            "infinity int8": {**contender(100.0, 6.0), "resident_mib": 700},
            LIBRARY: contender(50.0, 8.0),
            IN_REQUESTS: contender(25.0, 8.0),
        },
        "speed_up": {
            "infinity int8": {"clock": 5.0, "processor": 5.5},
            LIBRARY: {"clock": 10.0, "processor": 9.0},
            IN_REQUESTS: {"clock": 20.0, "processor": 18.0},
        },
        "speed_up_whole": {
            "infinity int8": {"clock": 1.5, "processor": 1.5},
            LIBRARY: {"clock": 6.25, "processor": 6.0},
            IN_REQUESTS: {"clock": 7.5, "processor": 7.0},
        },
        "tokens": {"mixed": 65.4, "whole": 195.8},
        "padded_per_token": 1.08,
        "query_tokens": 12,
        "ndcg_at_10": {NAME: 0.399, "infinity int8": 0.39, LIBRARY: 0.4},
        "ladder": [{"backend": "torch-fp32", "texts_per_second": 30.5, "query_ms": 7.7}],
    }
