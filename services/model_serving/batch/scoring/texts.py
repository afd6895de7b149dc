"""Files of text, classified: texts of like length together."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.model_serving.batch.scoring.calls import Check, Outcome, refused, score_together
from services.model_serving.batch.scoring.classes import ranked
from services.model_serving.batch.scoring.packing import pack
from services.model_serving.batch.scoring.pipelines import Pipeline, longest_text, pipeline_of
from services.model_serving.batch.scoring.wishes import Wishes
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import LoadError

CALL_CHARACTERS = 64_000
"""Of a call, as its longest text times its count."""
CALL_TEXTS = 64
LONGEST_TEXT = 1_000_000
"""Characters; models read the first few thousand at most."""


def score_texts(
    model: LoadedModel, contents: Sequence[bytes], params: Mapping[str, Any], check: Check
) -> list[Outcome]:
    """Classify texts; blocks.

    Args:
        model: Of the task `text-classification`.
        contents: Of the files, UTF-8.
        params: `top_k` and `threshold`.
        check: Called before each call of the model; raises to end the work.

    Returns:
        For each file JSON of the output, or of the error.

    Raises:
        InvalidInputs: A parameter is unknown or out of range.
    """
    wishes = Wishes.read(params)
    read = [_read(content) for content in contents]
    outcomes = [refused(text) if fault else (None, None) for text, fault in read]
    places = [place for place, (_, fault) in enumerate(read) if not fault]
    pipeline = pipeline_of(model)

    def call(texts: Sequence[str]) -> list[object]:
        return [ranked(shares, wishes) for shares in _probabilities(model, pipeline, texts)]

    for batch in pack([len(read[place][0]) for place in places], CALL_CHARACTERS, CALL_TEXTS):
        chosen = [places[member] for member in batch]
        scored = score_together(model, [read[place][0] for place in chosen], call, check)
        for place, outcome in zip(chosen, scored, strict=True):
            outcomes[place] = outcome
    return outcomes


def _read(content: bytes) -> tuple[str, bool]:
    """Return the text of a file, or what is wrong with it and True."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"is no UTF-8 text (byte {error.start})", True
    if "\0" in text:
        return "is no text: it holds zero bytes", True
    if not text.strip():
        return "is empty", True
    if len(text) > LONGEST_TEXT:
        return f"has {len(text):,} characters; at most {LONGEST_TEXT:,} are read", True
    return text, False


def _probabilities(model: LoadedModel, pipeline: Pipeline | None, texts: Sequence[str]) -> list[dict[str, float]]:
    if pipeline is not None:
        longest = longest_text(pipeline)
        cut = {"truncation": True, "max_length": longest} if longest else {}
        answers = pipeline(list(texts), top_k=None, batch_size=len(texts), **cut)
        return [{str(one["label"]): float(one["score"]) for one in answer} for answer in answers]
    given, params = model.read([{"text": text} for text in texts], {})
    answer = model.call(given, params)
    try:
        return [dict(shares) for shares in answer["probabilities"]]
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError("The model does not answer a column of probabilities by class.") from error
