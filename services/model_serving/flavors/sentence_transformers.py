"""Sentence Transformers: MLflow's wrapper past the check of the signature; encoding itself takes all of the time."""

from collections.abc import Iterator

from services.model_serving.flavors import pytorch
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement

ROW_WISE = True


def candidates(source: Source) -> Iterator[Candidate]:
    """Yield MLflow's wrapper, whose `encode` runs in inference mode."""
    yield without_enforcement(source)


def refusal(error: BaseException) -> str | None:
    """Say that the module inside refused inputs, such as a text of more tokens than it has positions.

    The library's own code stands between, and its words may hold the caller's text.
    """
    return "" if pytorch.refusal(error) is not None else None
