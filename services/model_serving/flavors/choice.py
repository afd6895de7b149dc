"""How a loaded model is called: through MLflow, or past it where that is proven to answer the same.

`pyfunc.predict` enforces the signature a column at a time, some 2 ms for 30 columns. The inputs here have passed
:mod:`services.model_serving.signature` already, so a library's own predict function is called where it answers as
MLflow does, on the model's input example and on inputs derived from it (:mod:`.derived`).
"""

import importlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, cast

from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel
from mlflow.types.schema import Schema

from mlplatform.registry import tags as tag
from services.model_serving.flavors.derived import Example, example_rows
from services.model_serving.flavors.predictor import Candidate, Chosen, Predict, Says, Source
from services.model_serving.flavors.proof import Proof
from services.model_serving.flavors.refusal import Refusal, says_nothing
from services.model_serving.loading.example import InputExample
from services.model_serving.signature import ModelInput, Signature

LIBRARIES = frozenset({"lightgbm", "onnx", "pytorch", "sentence_transformers", "sklearn", "transformers", "xgboost"})
"""Each has a file in this package, imported with the first model of the library: some are optional, some are slow."""
FALLBACK = "pyfunc"
SLOW = 0.5
"""Seconds of a prediction beyond which MLflow's share of it is too small to be worth a proof."""
BUDGET = 10.0
"""Seconds that the proofs of one model may take."""
NO_EXAMPLE = "was logged without an input example, so nothing can be proven"
ROW_WISE = "a row alone is answered as among others"


class Library(Protocol):
    """What a file of this package offers."""

    ROW_WISE: bool
    """Whether models of this library score each row by itself as a rule, which is checked all the same."""

    def candidates(self, source: Source) -> Iterable[Candidate]:
        """Walk over the ways to call a model, the cheapest first."""

    def refusal(self, error: BaseException) -> str | None:
        """Say what the library found wrong with inputs; None for an error that inputs do not cause."""


def choose_predict(
    model: PyFuncModel, signature: Signature, example: InputExample | None, description: Model, folder: Path
) -> Chosen:
    """Warm a model up on its input example, and find the shortest way to call it.

    Args:
        model: as MLflow loaded it.
        signature: what a caller's inputs are read with.
        example: what to predict; without one nothing is warm and nothing can be proven.
        description: the content of its `MLmodel` file.
        folder: its artifacts.

    Raises:
        InvalidInputs: the example does not fit the signature.
        Exception: whatever the model raises on its own example.
    """
    flavor = _flavor(model)
    predict = _through_mlflow(model)
    if example is None:
        return Chosen(
            predict,
            "pyfunc",
            row_wise=False,
            flavor=flavor,
            reason=NO_EXAMPLE,
            row_wise_reason=NO_EXAMPLE,
            refusal=says_nothing,
        )
    inputs, params = signature.inputs.read(example.inputs), signature.parameters.read(example.params)
    predict(inputs, params)
    library = None if flavor == FALLBACK else _library(flavor)
    rows = example_rows(example.inputs, _schema(description))
    native, reason = None, "no other way to call this kind of model is known"
    proof = Proof(signature, model.predict, params, budget=BUDGET)
    if library is not None and _seconds(predict, inputs, params) > SLOW:
        reason = "a prediction takes so long that MLflow's share of it does not count"
    elif library is not None:
        candidates = library.candidates(Source(model, folder, description))
        native, reason = _proven(proof, candidates, example.inputs, rows, takes_params=params is not None)
        predict = predict if native is None else native.predict
    objection = _barred(description, signature, library) or _row_objection(proof, predict, rows)
    return Chosen(
        predict,
        "pyfunc" if native is None else "native",
        row_wise=objection is None,
        flavor=flavor,
        reason=reason,
        row_wise_reason=objection or ROW_WISE,
        refusal=_refusal(library, predict, inputs if objection else inputs.take(0, 1), params),
    )


def _proven(
    proof: Proof, candidates: Iterable[Candidate], inputs: object, rows: Example | None, *, takes_params: bool
) -> tuple[Candidate | None, str]:
    if not proof.ask(inputs, rows):
        return None, "the comparison with MLflow took too long"
    objections = []
    for candidate in candidates:
        if takes_params and not candidate.takes_params:
            objections.append(f"{candidate.name} takes no parameters")
        elif objection := proof.objection(candidate):
            objections.append(f"{candidate.name} gave {objection}")
        else:
            exact = f"within {candidate.tolerance:g}" if candidate.tolerance else "to the last bit"
            return candidate, f"{candidate.name} equals MLflow {exact} on: {', '.join(proof.asked)}"
    return None, "; ".join(objections) or "no other way to call this model is known"


def _refusal(library: Library | None, predict: Predict, inputs: ModelInput, params: dict[str, object] | None) -> Says:
    return says_nothing if library is None else Refusal(library.refusal, predict, inputs, params)


def _barred(description: Model, signature: Signature, library: Library | None) -> str | None:
    """Say why rows may not be put together, whatever they score."""
    metadata = description.metadata or {}
    if metadata.get(tag.INPUT_ROWS) is not None:
        return f"a call is one history of {metadata[tag.INPUT_ROWS]} rows"
    declared = metadata.get(tag.ROW_WISE)
    if declared is not None and str(declared).lower() != "true":
        return f"its metadata says so ({tag.ROW_WISE})"
    if signature.parameters.declared:
        return "it takes parameters, which may differ from caller to caller"
    if declared is None and (library is None or not library.ROW_WISE):
        return f"its metadata does not say that it may ({tag.ROW_WISE}: true)"
    return None


def _row_objection(proof: Proof, predict: Predict, rows: Example | None) -> str | None:
    return "the rows of its example cannot be told apart" if rows is None else proof.row_objection(predict, rows)


def _through_mlflow(model: PyFuncModel) -> Predict:
    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401 (a model may answer anything)
        return model.predict(inputs.data, params=params)

    return predict


def _flavor(model: PyFuncModel) -> str:
    package, _, name = str(model.loader_module).partition(".")
    return name if package == "mlflow" and name in LIBRARIES else FALLBACK


def _library(flavor: str) -> Library:
    return cast("Library", importlib.import_module(f"{__package__}.{flavor}"))


def _schema(description: Model) -> Schema | None:
    from_type_hints = description.to_dict().get("is_signature_from_type_hint")
    return None if from_type_hints else description.get_input_schema()


def _seconds(predict: Predict, inputs: ModelInput, params: dict[str, object] | None) -> float:
    started = time.perf_counter()
    predict(inputs, params)
    return time.perf_counter() - started
