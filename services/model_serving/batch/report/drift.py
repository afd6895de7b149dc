"""How far the items and answers of a job are from those of training."""

from collections.abc import Mapping, Sequence
from typing import Any

from structlog import get_logger

from mlplatform.monitoring.columns import PREDICTION, Columns, to_columns
from mlplatform.monitoring.drift import MINIMUM_ROWS, compare
from mlplatform.monitoring.objects import CERTAIN, object_columns
from services.model_serving.batch.scoring.media import DETECTIONS
from services.model_serving.batch.scoring.wishes import THRESHOLD, TOP_K
from services.model_serving.monitoring.findings import column_findings
from services.model_serving.monitoring.references import Reference

log = get_logger(__name__)


def compared_part(reference: Reference, output: Any) -> Any:  # noqa: ANN401 (any answer)
    """Return of an answer what a profile says something of, which may be little of it."""
    if reference.profile is None or reference.task == DETECTIONS or not isinstance(output, dict):
        return output
    return {name: output[name] for name in reference.profile.predictions if name in output}


def drift_of(
    reference: Reference, items: Sequence[Any], outputs: Sequence[Any], params: Mapping[str, Any], *, rows: int = 0
) -> dict[str, Any]:
    """Compare with the reference profile of the version.

    Args:
        reference: Of the version.
        items: Rows, or the rows of a history each; empty when they are files.
        outputs: Answers.
        params: What was asked of the answers.
        rows: How many answers there are, if none was kept to compare.

    Returns:
        Status, number of rows, and the columns as monitoring stores them.
    """
    rows = max(len(items), len(outputs), rows)
    found: dict[str, Any] = {"status": "compared", "rows": rows, "alarm": False, "columns": []}
    profile = reference.profile
    if profile is None:
        return found | {"status": "no_reference"}
    if rows < MINIMUM_ROWS:
        return found | {"status": "too_few_rows"}
    try:
        drifts = compare(
            profile,
            _columns(items, list(profile.inputs), history=reference.history),
            _answers(outputs, params) if reference.task == DETECTIONS else to_columns(outputs, single=PREDICTION),
        )
        columns = column_findings(profile, drifts)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # values that nobody thought of
        log.warning("batch.not_compared", error=type(error).__name__)
        return found | {"status": "not_comparable"}
    if not columns:
        return found | {"status": "not_comparable"}
    return found | {"columns": columns, "alarm": any(column["level"] == "major" for column in columns)}


def _answers(outputs: Sequence[Any], params: Mapping[str, Any]) -> Columns:
    """Describe images by the objects found in them, unless the job left out some that are certain."""
    if params.get(TOP_K) is not None or (params.get(THRESHOLD) or 0) > CERTAIN:
        return {}
    return object_columns([(one["label"], one["confidence"]) for one in output["detections"]] for output in outputs)


def _columns(items: Sequence[Any], names: Sequence[str], *, history: bool) -> Columns:
    if not history:
        return to_columns(items, names)
    last = [item[-1] for item in items if isinstance(item, list) and item]  # the others are those of its neighbours too
    return to_columns(last, names)
