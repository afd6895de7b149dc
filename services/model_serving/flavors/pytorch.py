"""PyTorch: the module in inference mode, without pandas between the numbers and the tensor.

The threads of an operation are PyTorch's for the whole process: `OMP_NUM_THREADS`, which serving sets to 1.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from services.model_serving.flavors.predictor import Candidate, Source, without_enforcement
from services.model_serving.signature import ModelInput

ROW_WISE = True


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to call a module; one on an accelerator is left to MLflow, which moves its inputs there."""
    module = source.raw
    devices = {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}
    if devices <= {"cpu"}:
        yield _module(module)
    yield without_enforcement(source)


def _module(module: torch.nn.Module) -> Candidate:
    def predict(inputs: ModelInput, params: dict[str, object] | None) -> Any:  # noqa: ANN401, ARG001 (the common form)
        if inputs.matrix is not None:
            return pd.DataFrame(_run(module, inputs.matrix.astype(np.float32)))
        data = inputs.data
        if isinstance(data, pd.DataFrame):
            return pd.DataFrame(_run(module, data.to_numpy(dtype=np.float32)))
        return _run(module, data)

    return Candidate(f"{type(module).__name__} in inference mode", predict)


def _run(module: torch.nn.Module, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if not array.flags.writeable:  # such as one that was cut out of a request's body; PyTorch warns of it
        array = array.copy(order="K")
    with torch.inference_mode():
        answer = module(torch.from_numpy(array))
    if not isinstance(answer, torch.Tensor):
        message = f"The module answers a {type(answer).__name__}, and MLflow knows tensors only."
        raise TypeError(message)
    numbers: npt.NDArray[Any] = answer.numpy()
    return numbers
