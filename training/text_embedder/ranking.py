"""What a model finds, and how good that is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from mlplatform.embedders.prompts import document_prompt, query_prompt
from mlplatform.retrieval.collection import Judgements
from mlplatform.retrieval.measures import ndcg, recall, reciprocal_rank
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

DEPTH = 100
CHUNK = 64
MEASURES = ("ndcg_at_10", "recall_at_100", "mrr_at_10")
Kind = Literal["query", "document"]
Advance = Callable[[int], None]
"""Told how much more is done."""


@dataclass(frozen=True)
class Embedded:
    """Texts as a model sees them.

    Attributes:
        keys: Their ids.
        vectors: Unit vectors, `(texts, dimension)`.
    """

    keys: Sequence[str]
    vectors: NDArray[np.float32]

    def rows(self) -> dict[str, int]:
        """Return the row of each id."""
        return {key: row for row, key in enumerate(self.keys)}


@dataclass(frozen=True)
class Quality:
    """Measures of each held-out query, in one order.

    Attributes:
        figures: nDCG@10, recall@100 and MRR@10, by the names in `MEASURES`.
    """

    figures: Mapping[str, Sequence[float]]

    def means(self) -> dict[str, float]:
        """Return the mean of each measure."""
        return {name: fmean(values) for name, values in self.figures.items()}


@dataclass(frozen=True, slots=True)
class Gain:
    """What training changed of nDCG@10, query by query.

    Attributes:
        mean: Of the differences.
        error: Standard error of that mean.
    """

    mean: float
    error: float

    @property
    def is_better(self) -> bool:
        """Whether it is better, and hardly by chance."""
        return self.mean > self.error


def prompt_of(model: SentenceTransformer, kind: Kind) -> str:
    """Return what the service puts before a text: the prompt for its kind, else the one that the model has for all."""
    own = query_prompt(model.prompts) if kind == "query" else document_prompt(model.prompts)
    return own or model.prompts.get(model.default_prompt_name or "") or ""


def embed(model: SentenceTransformer, texts: Mapping[str, str], kind: Kind, advance: Advance) -> Embedded:
    """Embed texts with the prompt that the model has for them.

    Args:
        model: The model.
        texts: Id → text.
        kind: What they are.
        advance: Told how many more texts are embedded.
    """
    keys = sorted(texts, key=lambda key: (len(texts[key]), key))
    prompt = prompt_of(model, kind)
    parts = []
    for start in range(0, len(keys), CHUNK):
        chunk = [texts[key] for key in keys[start : start + CHUNK]]
        parts.append(model.encode(chunk, prompt=prompt, normalize_embeddings=True, show_progress_bar=False))
        advance(len(chunk))
    return Embedded(keys, np.concatenate(parts).astype(np.float32))


def rank(queries: Embedded, documents: Embedded, depth: int = DEPTH) -> dict[str, list[str]]:
    """Return the ids of the nearest documents of each query, the nearest first."""
    ranking = {}
    for key, vector in zip(queries.keys, queries.vectors, strict=True):
        order = np.argsort(-(documents.vectors @ vector), kind="stable")[:depth]
        ranking[key] = [documents.keys[row] for row in order]
    return ranking


def measure(model: SentenceTransformer, judged: Judgements, documents: Embedded, advance: Advance) -> Quality:
    """Measure how well a model finds the documents of judged queries.

    Args:
        model: The model.
        judged: The queries.
        documents: All documents, as this model sees them.
        advance: Told how many more texts are embedded.
    """
    ranking = rank(embed(model, judged.queries, "query", advance), documents)
    keys = sorted(judged.queries)
    return Quality(
        {
            "ndcg_at_10": [ndcg(ranking[key], judged.relevant[key]) for key in keys],
            "recall_at_100": [recall(ranking[key], judged.relevant[key], DEPTH) for key in keys],
            "mrr_at_10": [reciprocal_rank(ranking[key], judged.relevant[key]) for key in keys],
        }
    )


def gain(before: Quality, after: Quality) -> Gain:
    """Compare two measurements of the same queries."""
    pairs = zip(before.figures["ndcg_at_10"], after.figures["ndcg_at_10"], strict=True)
    differences = [late - early for early, late in pairs]
    return Gain(fmean(differences), stdev(differences) / math.sqrt(len(differences)))
