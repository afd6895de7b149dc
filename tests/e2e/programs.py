"""The programs that a data scientist runs by path, run as they run them."""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from mlplatform.registry.gates.trial import PROBE
from tests.fixtures.programs import LIBRARIES, python_with, run_program

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "training" / "curve_forecaster"
PROMOTE = Path("..", "..", "scripts", "promote_model.py")
SECONDS = 240


def train(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python train.py …` in its folder."""
    return _run(environment, "train.py", *arguments)


def promote(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python ../../scripts/promote_model.py …` from the folder of the training script."""
    return _run(environment, str(PROMOTE), *arguments)


def train_next(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the training again, in a process that has its imports already."""
    return run_program(
        "train.py", *arguments, environment=os.environ | environment, folder=TRAINING, imported=LIBRARIES
    )


def promote_next(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it again, in a process that has its imports already."""
    probe = {"ML_SERVABILITY_COMMAND": shlex.join([*python_with(*LIBRARIES), *PROBE[1:]])}
    return run_program(str(PROMOTE), *arguments, environment=os.environ | environment | probe, folder=TRAINING)


def _run(environment: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=TRAINING,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
