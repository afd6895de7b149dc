"""ONNX: a session of one thread.

MLflow opens its session with a pool of threads of ONNX Runtime's own, one per core, which spin while they wait: two
predictions at once then fight for the cores. `OMP_NUM_THREADS` does not bound it.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from services.model_serving.flavors.arrays import array_of
from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement
from services.model_serving.flavors.refusal import first_line
from services.model_serving.signature import ModelInput

ROW_WISE = True
CPU = ["CPUExecutionProvider"]
TOLERANCE = 1e-6
"""Of the largest number of an answer: the work may be cut up otherwise than for several threads."""
Feeds = dict[str, npt.NDArray[Any]]
FATAL = 4
"""Of what a session writes to the error output: its errors are raised as well, and anybody can cause them."""
NO_MEMORY = "Failed to allocate memory"
PLACE = re.compile(r".*(Status Message: | : INVALID_ARGUMENT : | : FAIL : |\.h:\d+ | was false\. )")
"""What stands before the words: the code, the node, the line of ONNX Runtime's source."""
VALUE = re.compile(r"\bidx=-?\d+ ")


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to run a session; one on an accelerator stays as MLflow opened it."""
    if source.raw.get_providers() == CPU:
        yield _session(source)
    yield without_enforcement(source)


def refusal(error: BaseException) -> str | None:
    """Say what ONNX Runtime found wrong with inputs.

    Ranks, types and indices are an InvalidArgument; dimensions that do not go together are whatever the node raises.
    """
    if not isinstance(error, InvalidArgument | Fail | RuntimeException) or NO_MEMORY in str(error):
        return None
    return VALUE.sub("", PLACE.sub("", first_line(error)))


def _session(source: Source) -> Candidate:
    declared = source.options("onnx").get("onnx_session_options") or {}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = FATAL
    options.intra_op_num_threads = declared.get("intra_op_num_threads") or 1
    options.inter_op_num_threads = declared.get("inter_op_num_threads") or 1
    if level := declared.get("graph_optimization_level"):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel(level)
    file = source.folder / source.options("onnx")["data"]
    session = onnxruntime.InferenceSession(str(file), providers=CPU, sess_options=options)
    outputs = [output.name for output in session.get_outputs()]
    inputs = [given.name for given in session.get_inputs()]
    singles = frozenset(given.name for given in session.get_inputs() if given.type == "tensor(float)")

    def predict(given: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        feeds, table = _feeds(given, inputs)
        for name in singles & feeds.keys():
            if feeds[name].dtype == np.float64:
                feeds[name] = feeds[name].astype(np.float32)
        answers = dict(zip(outputs, session.run(outputs, feeds), strict=True))
        if not table:
            return answers
        return pd.DataFrame({name: np.asarray(part).reshape(-1) for name, part in answers.items()})

    return Candidate("a session of one thread", predict, tolerance=TOLERANCE)


def _feeds(given: ModelInput, names: list[str]) -> tuple[Feeds, bool]:
    """Return the arrays by input, and whether the caller gave a table."""
    if given.matrix is not None and len(names) == 1:
        return {names[0]: given.matrix}, True
    data = given.data
    if isinstance(data, pd.DataFrame):
        if len(names) == 1:
            return {names[0]: array_of(given) if given.matrix is not None else data.to_numpy()}, True
        return {name: data[name].to_numpy() for name in names}, True
    return (dict(data), False) if isinstance(data, dict) else ({names[0]: data}, False)
