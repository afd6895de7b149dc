"""Files of text, classified: texts of like length together."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.model_serving.batch.scoring.calls import Check, Load, Outcome, failed, score_together
from services.model_serving.batch.scoring.classes import ranked
from services.model_serving.batch.scoring.media import TEXTS
from services.model_serving.batch.scoring.packing import pack
from services.model_serving.batch.scoring.pipelines import Pipeline, exceed, longest_text, pipeline_of
from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.batch.uploads.errors import FileError
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError

CALL_CHARACTERS = 64_000
"""Of a call, as its longest text times its count."""
CALL_TEXTS = 64
TRUNCATED = "truncated"
"""Column in which a model that is no pipeline says which texts it did not read to their end."""


def score_texts(
    model: LoadedModel, files: Sequence[Load[str]], params: Mapping[str, Any], check: Check
) -> list[Outcome]:
    """Classify texts; blocks.

    Args:
        model: Of the task `text-classification`.
        files: Texts.
        params: `top_k` and `threshold`.
        check: Called before each file and each call of the model; raises to end the work.

    Returns:
        For each file JSON of the output, or of the error.

    Raises:
        InvalidInputs: A parameter is unknown or out of range.
    """
    wishes = Wishes.read(params, TEXTS)
    outcomes: list[Outcome] = [(None, None)] * len(files)
    texts: dict[int, str] = {}
    for place, load in enumerate(files):
        check()
        try:
            texts[place] = load()
        except FileError as error:
            outcomes[place] = failed(error)
    places = list(texts)
    pipeline = pipeline_of(model)

    def call(batch: Sequence[str]) -> list[object]:
        return [ranked(shares, wishes, truncated=cut) for shares, cut in _answers(model, pipeline, batch)]

    for batch in pack([len(texts[place]) for place in places], CALL_CHARACTERS, CALL_TEXTS):
        chosen = [places[member] for member in batch]
        scored = score_together(model, [texts[place] for place in chosen], call, check)
        for place, outcome in zip(chosen, scored, strict=True):
            outcomes[place] = outcome
    return outcomes


def _answers(
    model: LoadedModel, pipeline: Pipeline | None, texts: Sequence[str]
) -> list[tuple[dict[str, float], bool | None]]:
    """Return the probabilities of each text, and whether it was cut, where that is known."""
    if pipeline is not None:
        return _answers_of(pipeline, texts)
    given, params = model.read([{"text": text} for text in texts], {})
    answer = model.call(given, params)
    try:
        shares = [dict(one) for one in answer["probabilities"]]
        told = answer.get(TRUNCATED)
        cuts = [None] * len(shares) if told is None else [bool(one) for one in told]
        return list(zip(shares, cuts, strict=True))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LoadError("The model does not answer a column of probabilities by class.") from error


def _answers_of(pipeline: Pipeline, texts: Sequence[str]) -> list[tuple[dict[str, float], bool | None]]:
    longest = longest_text(pipeline)
    options = {"truncation": True, "max_length": longest} if longest else {}
    cuts = exceed(pipeline, texts, longest) if longest else [False] * len(texts)
    answers = pipeline(list(texts), top_k=None, batch_size=len(texts), **options)
    shares = [{str(one["label"]): float(one["score"]) for one in answer} for answer in answers]
    return list(zip(shares, cuts, strict=True))
