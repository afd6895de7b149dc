"""What can end a run besides what ends every training program: see `mlplatform.training.failures`.

* TrainingError
  + MiningFailed      1   the index that was named gives no negatives
"""

from mlplatform.training.failures import TrainingError

NO_BETTER = 3
"""Exit status of a run that registered nothing, as the model is no better than before."""


class MiningFailed(TrainingError):
    """The index that was named gives no negatives."""
