"""The targets of embedding, and whether they are reached."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.embedding.names import IN_REQUESTS, LIBRARY, NAME
from benchmarks.serving.criteria import Criterion
from benchmarks.serving.criteria import judge as judge_criteria

Result = Mapping[str, Any]


def judge(result: Result) -> list[dict[str, Any]]:
    """Return every target with what was seen and whether it was reached; both are None where nothing was measured."""
    return judge_criteria(result, CRITERIA)


def _speed(other: str) -> Callable[[Result], tuple[float, str]]:
    def speed(result: Result) -> tuple[float, str]:
        rates = [result["contenders"][name]["texts_per_second"] for name in (NAME, other)]
        return result["speed_up"][other]["clock"], "{:g} against {:g} texts/s".format(*rates)

    return speed


def _padding(result: Result) -> tuple[float, str]:
    return result["padded_per_token"], ""


def _query(result: Result) -> tuple[float, str]:
    own, other = (result["contenders"][name] for name in (NAME, LIBRARY))
    words = f"p95 {own['query_ms_p95']:g} ms; the library without HTTP {other['query_ms_p50']:g} ms"
    return own["query_ms_p50"], f"{result['query_tokens']} tokens, {words}"


def _quality(result: Result) -> tuple[float, str] | None:
    if (found := result.get("ndcg_at_10")) is None:
        return None
    return found[NAME] / found[LIBRARY], f"{found[NAME]:.4f} against {found[LIBRARY]:.4f}"


CRITERIA = (
    Criterion(
        "texts/s of mixed lengths through HTTP, against a call for each request",
        8,
        15,
        True,
        "x",
        _speed(IN_REQUESTS),
    ),
    Criterion("the same, against one call with all texts, which sorts them first", 8, 15, True, "x", _speed(LIBRARY)),
    Criterion("padded to real tokens", 1.25, 1.1, False, "", _padding),
    Criterion("one query of 12 tokens through HTTP, p50", 5, 2.5, False, " ms", _query),
    Criterion("nDCG@10 against fp32", 0.995, 0.998, True, "", _quality),
)
