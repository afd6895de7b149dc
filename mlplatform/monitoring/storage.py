"""Where reference profiles are kept.

A profile that training logs lies among the artifacts of the model, so the digest that is recorded at registration
covers it. A registered version cannot take one any more: its artifacts would no longer match. A profile that is made
later is an artifact of the version's run, or of a run of its own when the version has none, and the tags `ml.profile`
and `ml.profile.sha256` of the version say where and what.
"""

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import mlflow

from mlplatform.monitoring.profile import InvalidProfile, Profile, make_profile
from mlplatform.registry import tags as tag
from mlplatform.registry.connection import copy_artifacts, open_client, registry_errors
from mlplatform.registry.model_version import ModelVersion
from mlplatform.registry.registry import Registry

FOLDER = "monitoring"
FILE = "profile.json"
PROFILE_PATH = f"{FOLDER}/{FILE}"
"""Below the folder with `MLmodel`."""
LOGGED_MODEL = "models:/"
RUN = "runs:/"
DEFAULT_EXPERIMENT = "0"


def log_reference_profile(
    model_uri: str,
    inputs: object,
    predictions: object = None,
    *,
    exclude: Iterable[str] = (),
    tracking_url: str | None = None,
) -> Profile:
    """Store with a logged model what it was trained on. Call it before the model is registered.

    Args:
        model_uri: The `model_uri` of what `log_model` returns.
        inputs: The rows it was trained on: a DataFrame, an array, records.
        predictions: Its answers, best on rows that it has not seen.
        exclude: Input columns to leave out, such as those with personal data.
        tracking_url: The MLflow server; the one that MLflow is set to unless given.

    Returns:
        The profile that was stored.

    Raises:
        ValueError: `model_uri` does not name a logged model.
        InvalidProfile: There is nothing to describe.
        RegistryUnavailable: MLflow is down.
    """
    model_id = model_uri.removeprefix(LOGGED_MODEL)
    if not model_uri.startswith(f"{LOGGED_MODEL}m-"):
        raise ValueError(f"{model_uri!r} is not the URI of a logged model: pass log_model(...).model_uri.")
    profile = make_profile(inputs, predictions, exclude=exclude)
    url = tracking_url or mlflow.get_tracking_uri()
    with registry_errors(url), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_text(profile.dumps(), encoding="utf-8")
        open_client(url).log_model_artifact(model_id, str(path), FOLDER)
    return profile


def attach_profile(registry: Registry, version: ModelVersion, profile: Profile) -> str:
    """Store a profile for a version that is registered already, in place of one it may have.

    Returns:
        Where it is.

    Raises:
        RegistryUnavailable: MLflow is down.
    """
    content = profile.dumps().encode()
    digest = hashlib.sha256(content).hexdigest()
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{digest[:16]}.json"
        path.write_bytes(content)
        place = f"{FOLDER}/{version.version}"
        run_id = version.run_id or _make_run(registry, version)
        open_client(registry.tracking_url).log_artifact(run_id, str(path), place)
    location = f"{RUN}{run_id}/{place}/{path.name}"
    registry.set_version_tag(version.name, version.version, tag.PROFILE_DIGEST, digest)
    registry.set_version_tag(version.name, version.version, tag.PROFILE, location)
    return location


def read_profile(registry: Registry, version: ModelVersion, folder: Path | None = None) -> Profile | None:
    """Read the profile of a version: one that was attached later, else the one it was logged with.

    Args:
        registry: Where the version is from.
        version: Whose.
        folder: The version's artifacts on disk, when they are there.

    Returns:
        The profile, None when the version has none.

    Raises:
        InvalidProfile: What is there is no profile, or not the one that was attached.
        RegistryUnavailable: MLflow is down.
    """
    location = version.tags.get(tag.PROFILE, "")
    if location.startswith(RUN):
        run_id, _, path = location.removeprefix(RUN).partition("/")
        content = _attached(registry, run_id, path)
        if hashlib.sha256(content).hexdigest() != version.tags.get(tag.PROFILE_DIGEST):
            raise InvalidProfile("the profile is not the one that was attached: its digest differs")
        return Profile.loads(content)
    if folder is not None and folder.is_dir():
        path_on_disk = folder / PROFILE_PATH
        return Profile.loads(path_on_disk.read_bytes()) if path_on_disk.is_file() else None
    return _logged(registry, version)


def _make_run(registry: Registry, version: ModelVersion) -> str:
    """Make a run for what no run made, beside the logged model."""
    client = open_client(registry.tracking_url)
    experiment = client.get_logged_model(version.model_id).experiment_id if version.model_id else DEFAULT_EXPERIMENT
    run = client.create_run(experiment, run_name=f"profile-{version.name}-{version.version}")
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def _attached(registry: Registry, run_id: str, path: str) -> bytes:
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        run = open_client(registry.tracking_url).get_run(run_id)
        copy_artifacts(registry.tracking_url, run.info.artifact_uri, Path(folder), path)
        return (Path(folder) / path).read_bytes()


def _logged(registry: Registry, version: ModelVersion) -> Profile | None:
    if version.model_id is None:
        return None
    client = open_client(registry.tracking_url)
    with registry_errors(registry.tracking_url), tempfile.TemporaryDirectory() as folder:
        names = {item.path for item in client.list_logged_model_artifacts(version.model_id, FOLDER)}
        if PROFILE_PATH not in names:
            return None
        registry.copy_artifacts(version, Path(folder), PROFILE_PATH)
        return Profile.loads((Path(folder) / PROFILE_PATH).read_bytes())
