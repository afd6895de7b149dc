"""Transformers: MLflow's wrapper of the pipeline past the check of the signature.

What the wrapper makes of a pipeline's answer differs by task and by version, so it is not written again here.
"""

from collections.abc import Iterator

from services.model_serving.flavors import pytorch
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement

ROW_WISE = False
"""A pipeline may answer a list for a row, or one answer for all; metadata can say that it does not."""


def candidates(source: Source) -> Iterator[Candidate]:
    """Yield MLflow's wrapper, whose pipeline runs in inference mode."""
    yield without_enforcement(source)


def refusal(error: BaseException) -> str | None:
    """Say that the module inside refused inputs, such as a text of more tokens than it has positions.

    The library's own code stands between, and its words may hold the caller's text.
    """
    return "" if pytorch.refusal(error) is not None else None
