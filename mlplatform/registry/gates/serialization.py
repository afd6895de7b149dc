"""Can the version be loaded without running whatever code its files hold?

Of the models that model serving loads, the policy of serving decides, in the trial: there is one policy, and it is
asked where it is applied. Of other services' models, no file may be a pickle, whatever it is called.
"""

import asyncio
import tempfile
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from mlplatform.registry.gates.candidate import Candidate
from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.gates.trial import Trial

GATE = "serialization"
SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".cloudpickle"})
PROTOCOLS = frozenset(b"\x02\x03\x04\x05")
PICKLE = 0x80
"""The opcode that a pickle of protocol 2 or later begins with; its protocol comes next."""
ZIP = b"PK\x03\x04"
SHOWN = 3


async def check(candidate: Candidate, trial: Trial | None) -> Finding:
    """Ask the policy of serving by way of the trial, else look at the files."""
    if trial is None:
        return await asyncio.to_thread(_look, candidate)
    if trial.result is None:
        return Finding(GATE, Status.SKIPPED, "Not known: the version could not be tried.")
    if trial.result.unsafe:
        return Finding(GATE, Status.FAILED, trial.result.reason or "The policy of serving refuses it.")
    return Finding(GATE, Status.PASSED, "The policy of serving lets it be loaded.")


def find_pickles(folder: Path) -> list[str]:
    """List the files that are pickles by name or by content, or archives that hold one, as those of torch do."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [str(file.relative_to(folder)) for file in files if _is_pickle(file)]


def _look(candidate: Candidate) -> Finding:
    name = candidate.version.name
    with tempfile.TemporaryDirectory() as folder:
        candidate.registry.copy_artifacts(candidate.version, Path(folder))
        pickles = find_pickles(Path(folder))
    if not pickles:
        return Finding(GATE, Status.PASSED, "None of its files is a pickle.")
    shown = ", ".join(pickles[:SHOWN]) + ("…" if len(pickles) > SHOWN else "")
    detail = {"files": pickles}
    if name in candidate.settings.promotion_allow_pickle:
        message = f"Loading it unpickles {shown}, which ML_PROMOTION_ALLOW_PICKLE allows."
        return Finding(GATE, Status.WARNED, message, detail)
    return Finding(
        GATE,
        Status.FAILED,
        f"Loading it unpickles {shown}, which can run any code. Save it in another format such as safetensors or "
        f"skops, or name {name} in ML_PROMOTION_ALLOW_PICKLE if you trust everyone who may register it.",
        detail,
    )


def _is_pickle(file: Path) -> bool:
    if file.suffix.lower() in SUFFIXES:
        return True
    with file.open("rb") as content:
        head = content.read(len(ZIP))
    if head[:1] == bytes([PICKLE]) and head[1:2] and head[1] in PROTOCOLS:
        return True
    if head != ZIP:
        return False
    try:
        with ZipFile(file) as archive:
            return any(Path(member).suffix.lower() in SUFFIXES for member in archive.namelist())
    except BadZipFile:
        return False
