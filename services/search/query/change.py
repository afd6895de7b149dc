"""A change of an index's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """What is set; what is not stays as it is.

    Attributes:
        weighs: Whether the weight is set.
        weight: Of the vectors, from 0 to 1; None for the service's default.
        tuning: The measurements that it comes from; None when it is set by hand.
        reranks: Whether the number of results to re-rank is set.
        rerank: That number; None for the service's default.
        speaks: Whether the language is set.
        language: A text search configuration of Postgres; None for English.
    """

    weighs: bool = False
    weight: float | None = None
    tuning: Mapping[str, Any] | None = None
    reranks: bool = False
    rerank: int | None = None
    speaks: bool = False
    language: str | None = None
