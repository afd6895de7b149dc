"""Training: queries are drawn to their relevant documents and away from all others of a batch."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import torch
from mlplatform.training.failures import Diverged
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.util import batch_to_device

from judged import Judged
from mining import Example
from ranking import prompt_of

WARM_UP = 0.1
DECAY = 0.01
LARGEST_GRADIENT = 1.0
Report = Callable[[float], None]
"""Told the loss of each step."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: Times that each example is seen.
        batch_size: Most examples of a step.
        learning_rate: The highest.
        max_tokens: Of a text.
        seed: Of the order and of dropout.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    max_tokens: int
    seed: int


def plan(examples: Sequence[Example], relevant: Mapping[str, AbstractSet[str]], recipe: Recipe) -> list[list[Example]]:
    """Return the batches of all epochs."""
    chance = random.Random(recipe.seed)  # noqa: S311 - a shuffle
    steps: list[list[Example]] = []
    for _ in range(recipe.epochs):
        steps += batches(examples, relevant, recipe.batch_size, chance)
    return steps


def batches(
    examples: Sequence[Example], relevant: Mapping[str, AbstractSet[str]], size: int, chance: random.Random
) -> Iterator[list[Example]]:
    """Yield batches in which no document of one example is relevant to the query of another.

    Every document of a batch is a negative of all queries but its own, so such a document would teach the opposite of
    what was judged.

    Args:
        examples: What to train on.
        relevant: Query id → ids of its relevant documents.
        size: Most examples of a batch.
        chance: Decides the order.
    """
    waiting = list(examples)
    chance.shuffle(waiting)
    while waiting:
        batch: list[Example] = []
        left: list[Example] = []
        for place, example in enumerate(waiting):
            if len(batch) == size:
                left += waiting[place:]
                break
            clash = any(_clash(example, other, relevant) for other in batch)
            (left if clash else batch).append(example)
        waiting = left
        if len(batch) > 1 or batch[0].negatives:  # else there is nothing to be told apart
            yield batch


def fit(
    model: SentenceTransformer, judged: Judged, steps: Sequence[Sequence[Example]], recipe: Recipe, report: Report
) -> list[float]:
    """Train a model in place.

    Args:
        model: The model.
        judged: The texts.
        steps: The batches.
        recipe: How.
        report: Told the loss of each step.

    Returns:
        The loss of each step.

    Raises:
        Diverged: The loss is no number any more.
    """
    torch.manual_seed(recipe.seed)
    loss_of = MultipleNegativesRankingLoss(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(step, len(steps)))
    longest = model.max_seq_length
    model.max_seq_length = min(longest or recipe.max_tokens, recipe.max_tokens)
    model.train()
    losses = []
    try:
        for number, batch in enumerate(steps, start=1):
            loss = loss_of(_features(model, judged, batch), torch.empty(0))
            value = float(loss.detach())
            if not math.isfinite(value):
                raise Diverged(f"the loss of step {number} is no number: take a smaller --learning-rate")
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            losses.append(value)
            report(value)
    finally:
        model.max_seq_length = longest
        model.eval()
    return losses


def rate(step: int, steps: int) -> float:
    """Return the share of the highest learning rate: it rises over the first tenth of the steps and falls to zero."""
    warm = max(1, round(WARM_UP * steps))
    return min((step + 1) / warm, (steps - step) / max(1, steps - warm + 1))


def _clash(one: Example, other: Example, relevant: Mapping[str, AbstractSet[str]]) -> bool:
    def documents(example: Example) -> set[str]:
        return {example.pair.document, *example.negatives}

    return bool(documents(one) & relevant[other.pair.query] or documents(other) & relevant[one.pair.query])


def _features(model: SentenceTransformer, judged: Judged, batch: Sequence[Example]) -> list[dict[str, torch.Tensor]]:
    """Tokenise a batch by columns: queries, relevant documents, first negatives, and so on.

    Every column must have a text of each example, so there are as many as the example with the fewest negatives has.
    """
    columns = [[judged.train.queries[example.pair.query] for example in batch]]
    columns.append([judged.documents[example.pair.document] for example in batch])
    fewest = min(len(example.negatives) for example in batch)
    columns += [[judged.documents[example.negatives[place]] for example in batch] for place in range(fewest)]
    prompts = [prompt_of(model, "query")] + [prompt_of(model, "document")] * (len(columns) - 1)
    return [
        batch_to_device(model.preprocess(texts, prompt=prompt or None), model.device)
        for texts, prompt in zip(columns, prompts, strict=True)
    ]
