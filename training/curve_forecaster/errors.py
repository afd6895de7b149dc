"""What can end a run besides what ends every training program: see `mlplatform.training.failures`.

* TrainingError
  + TuningFailed      1   every trial of the hyper-parameter search failed
"""

from mlplatform.training.failures import TrainingError


class TuningFailed(TrainingError):
    """Every trial of the hyper-parameter search failed."""
