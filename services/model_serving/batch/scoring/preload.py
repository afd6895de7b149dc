"""Imported by the process that scorers are forked from, so that a new one has its libraries at once.

The order matters: what numpy and MLflow read when they are imported has to be set before.
"""

import importlib

from services.model_serving.process import prepare_process

MODULE = "services.model_serving.batch.scoring.child"

prepare_process()
importlib.import_module(MODULE)
