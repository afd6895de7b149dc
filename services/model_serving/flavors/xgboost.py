"""XGBoost: `inplace_predict` on an array, without building a `DMatrix`, with one thread."""

from collections.abc import Iterator
from typing import Any

import xgboost

from services.model_serving.flavors.arrays import array_of
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement
from services.model_serving.signature import ModelInput

ROW_WISE = True


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to call a booster or a wrapper."""
    yield from boosters(source.raw, source.function)
    yield without_enforcement(source)


def refusal(_error: BaseException) -> str | None:
    """Say nothing: what XGBoost raises is a ValueError, and those blame the inputs already."""
    return None


def boosters(model: object, function: str) -> Iterator[Candidate]:
    """Yield the calls that skip names and MLflow's `DMatrix`."""
    if isinstance(model, xgboost.Booster):
        model.set_param({"nthread": 1})
        if function == "predict":
            yield _inplace(model)
    elif isinstance(model, xgboost.XGBModel):
        model.set_params(n_jobs=1)
        model.get_booster().set_param({"nthread": 1})
        yield _wrapper(model, function)


def _inplace(booster: xgboost.Booster) -> Candidate:
    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        return booster.inplace_predict(array_of(inputs), validate_features=True)

    return Candidate("Booster.inplace_predict", predict)


def _wrapper(model: xgboost.XGBModel, name: str) -> Candidate:
    function = getattr(model, name)

    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        return function(array_of(inputs), validate_features=False)

    return Candidate(f"{type(model).__name__}.{name}", predict)
