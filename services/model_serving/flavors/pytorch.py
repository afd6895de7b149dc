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
from services.model_serving.flavors.refusal import first_line
from services.model_serving.signature import ModelInput

ROW_WISE = True
GUARD = "Guard failed"
"""How an exported program says that a dimension is not what it was exported for."""
NO_MEMORY = "can't allocate memory"
OF_THE_MODEL = (torch.OutOfMemoryError, torch.AcceleratorError, NotImplementedError, RecursionError)
"""What PyTorch raises as a RuntimeError, and inputs do not cause."""


def candidates(source: Source) -> Iterator[Candidate]:
    """Walk over the ways to call a module; one on an accelerator is left to MLflow, which moves its inputs there."""
    module = source.raw
    devices = {tensor.device.type for tensor in (*module.parameters(), *module.buffers())}
    if devices <= {"cpu"}:
        yield _module(module)
    yield without_enforcement(source)


def refusal(error: BaseException) -> str | None:
    """Say what PyTorch found wrong with inputs.

    An index outside of an embedding or a reduction over nothing is an IndexError; shapes or types that do not go
    together are a RuntimeError, as is much else.
    """
    if isinstance(error, AssertionError):
        return first_line(error) if str(error).startswith(GUARD) else None
    if isinstance(error, OF_THE_MODEL) or NO_MEMORY in str(error):
        return None
    return first_line(error) if isinstance(error, IndexError | RuntimeError) else None


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
