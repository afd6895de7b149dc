"""Models, versions, aliases and artifacts, over MLflow. Calls block: use a thread from async code."""

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.entities.model_registry import RegisteredModel as MlflowModel

from mlplatform.certificates import certificates
from mlplatform.registry.cache import ArtifactCache
from mlplatform.registry.connection import copy_artifacts, is_missing, open_client, registry_errors
from mlplatform.registry.errors import (
    AliasNotFound,
    ArtifactsUnavailable,
    ModelNotFound,
    RegistryRefused,
    RegistryUnavailable,
    VersionNotFound,
)
from mlplatform.registry.model_version import ModelVersion, RegisteredModel
from mlplatform.registry.stages import PRODUCTION, Stage

PAGE = 100
PING_SECONDS = 2.0
HTTP_ERRORS = 400
RUN_USER = "mlflow.user"


class Registry:
    """The registry of one MLflow server.

    Every method raises `RegistryUnavailable` when the server is down.

    Args:
        tracking_url: `http://host:port` of the MLflow server.
    """

    def __init__(self, tracking_url: str) -> None:
        self.tracking_url = tracking_url
        self._client = open_client(tracking_url)

    def ping(self) -> None:
        """Ask the server for a sign of life, waiting at most two seconds."""
        try:
            answer = httpx.get(f"{self.tracking_url}/health", timeout=PING_SECONDS, verify=certificates())
        except httpx.HTTPError as error:
            raise RegistryUnavailable(
                f"MLflow at {self.tracking_url} does not answer. Start it, or set ML_MLFLOW_URL to where it runs."
            ) from error
        if answer.status_code >= HTTP_ERRORS:
            raise RegistryUnavailable(f"MLflow at {self.tracking_url} answers {answer.status_code}. Look at its log.")

    def list_models(self, limit: int = PAGE, cursor: str | None = None) -> tuple[list[RegisteredModel], str | None]:
        """List a page of models by name.

        Returns:
            The models, and the cursor of the next page or None.
        """
        with self._errors():
            page = self._client.search_registered_models(max_results=limit, page_token=cursor, order_by=["name ASC"])
        return [_model(entity) for entity in page], page.token or None

    def all_models(self) -> Iterator[RegisteredModel]:
        """Walk over every model, a page at a time."""
        cursor = None
        while True:
            models, cursor = self.list_models(cursor=cursor)
            yield from models
            if cursor is None:
                return

    def production_versions(self, served_by: str = "serving") -> dict[str, str]:
        """Map each model with a version in production to that version: one request per hundred models.

        Args:
            served_by: Only the models that this service loads.
        """
        return {
            model.name: model.aliases[PRODUCTION]
            for model in self.all_models()
            if PRODUCTION in model.aliases and model.served_by == served_by
        }

    def get_model(self, name: str) -> RegisteredModel:
        """Look a model up.

        Raises:
            ModelNotFound: There is none of this name.
        """
        with self._missing(ModelNotFound(f"No model is registered as {name!r}.")):
            return _model(self._client.get_registered_model(name))

    def get_version(self, name: str, version: str) -> ModelVersion:
        """Look a version up.

        Raises:
            ModelNotFound: There is no such model.
            VersionNotFound: The model has no such version.
        """
        if not version.isdecimal():
            raise VersionNotFound(f"A version of {name!r} is a whole number.")
        try:
            with self._missing(VersionNotFound(f"Model {name!r} has no version {version}.")):
                return _version(self._client.get_model_version(name, version))
        except VersionNotFound:
            self.get_model(name)
            raise

    def has_version(self, name: str, version: str) -> bool:
        """Whether a version exists."""
        try:
            self.get_version(name, version)
        except (ModelNotFound, VersionNotFound):
            return False
        return True

    def find_alias(self, name: str, alias: str) -> str | None:
        """Say which version an alias points to, None when it points nowhere.

        Raises:
            ModelNotFound: There is no such model.
        """
        return self.get_model(name).aliases.get(alias)

    def resolve(self, name: str, version: str | None = None, alias: str | None = None) -> ModelVersion:
        """Look a version up by number, else by alias, else the one in production.

        Raises:
            ModelNotFound: There is no such model.
            VersionNotFound: The model has no such version.
            AliasNotFound: The alias points nowhere.
        """
        if version is not None:
            return self.get_version(name, version)
        wanted = alias or PRODUCTION
        found = self.find_alias(name, wanted)
        if found is None:
            raise AliasNotFound(f"Model {name!r} has no version under the alias {wanted!r}.")
        return self.get_version(name, found)

    def list_versions(
        self, name: str, limit: int = PAGE, cursor: str | None = None, run_id: str | None = None
    ) -> tuple[list[ModelVersion], str | None]:
        """List a page of a model's versions, newest first.

        Args:
            name: The model.
            limit: Versions in a page.
            cursor: Where the page starts.
            run_id: Only the versions of this run.

        Raises:
            ModelNotFound: There is no such model.
        """
        aliases = self.get_model(name).aliases
        condition = f"name={_quoted(name)}" + (f" and run_id={_quoted(run_id)}" if run_id is not None else "")
        with self._errors():
            page = self._client.search_model_versions(
                condition, max_results=limit, page_token=cursor, order_by=["version_number DESC"]
            )
        return [_version(entity, aliases) for entity in page], page.token or None

    def all_versions(self, name: str) -> Iterator[ModelVersion]:
        """Walk over every version of a model, a page at a time.

        Raises:
            ModelNotFound: There is no such model.
        """
        cursor = None
        while True:
            versions, cursor = self.list_versions(name, cursor=cursor)
            yield from versions
            if cursor is None:
                return

    def metrics(self, version: ModelVersion) -> dict[str, float]:
        """Give the last value of each metric of a version: of its logged model, else of its run."""
        with self._errors():
            if version.model_id is not None:
                logged = self._client.get_logged_model(version.model_id).metrics or []
                latest = sorted(logged, key=lambda metric: (metric.step, metric.timestamp))
                if latest:
                    return {metric.key: metric.value for metric in latest}
            return dict(self._client.get_run(version.run_id).data.metrics) if version.run_id else {}

    def kind_of(self, version: ModelVersion) -> str | None:
        """Say what a version is for, as its logged model has it; None when nobody said."""
        if version.model_id is None:
            return None
        try:
            with self._errors():
                return self._client.get_logged_model(version.model_id).model_type or None
        except RegistryRefused as refusal:
            if not is_missing(refusal):
                raise
            return None  # the logged model was deleted for good

    def run_tags(self, version: ModelVersion) -> dict[str, str]:
        """Give the tags of the run that made a version."""
        with self._errors():
            return dict(self._client.get_run(version.run_id).data.tags) if version.run_id else {}

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        with self._errors():
            self._client.set_registered_model_alias(name, alias, version)

    def authors(self, version: ModelVersion) -> frozenset[str]:
        """Name whoever made a version: the user of its run, as MLflow has it."""
        try:
            user = self.run_tags(version).get(RUN_USER)
        except RegistryRefused as refusal:
            if not is_missing(refusal):
                raise
            user = None  # the run was deleted for good
        return frozenset({user}) if user else frozenset()

    def log_artifacts(self, version: ModelVersion, folder: Path, path: str) -> bool:
        """Put files beside the run that made a version, and say whether there is one.

        Not beside the model itself: that would change the artifacts, and with them their digest.
        """
        if version.run_id is None:
            return False
        with self._errors():
            self._client.log_artifacts(version.run_id, str(folder), path)
        return True

    def delete_version(self, name: str, version: str) -> None:
        """Delete a version; its artifacts stay in the store, since its run may still show them."""
        with self._missing(VersionNotFound(f"Model {name!r} has no version {version}.")):
            self._client.delete_model_version(name, version)

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias away; nothing happens when it points nowhere."""
        with self._errors():
            self._client.delete_registered_model_alias(name, alias)

    def set_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        """Annotate a version."""
        with self._errors():
            self._client.set_model_version_tag(name, version, key, value)

    def mirror_stage(self, name: str, version: str, stage: str) -> None:
        """Write a version's stage into MLflow's stage field, and archive whichever version had that stage.

        Args:
            name: The model.
            version: The version.
            stage: A `Stage`, or `None` in words, which is how MLflow says that there is none.
        """
        exclusive = stage in (Stage.STAGING, Stage.PRODUCTION)
        with self._errors(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # deprecated since 2.9, kept for readers of the stage field
            self._client.transition_model_version_stage(name, version, stage, archive_existing_versions=exclusive)

    def download(self, name: str, version: str, cache_dir: Path) -> Path:
        """Give the folder with a version's artifacts, from the cache when its bytes are still the recorded ones.

        Args:
            name: The model.
            version: The version.
            cache_dir: Folder of the cache, shared by the processes of a machine.

        Raises:
            VersionNotFound: There is no such version.
            ArtifactMismatchError: The object store holds other bytes than were registered.
        """
        return self.fetch(self.get_version(name, version), ArtifactCache(cache_dir))

    def fetch(self, version: ModelVersion, cache: ArtifactCache) -> Path:
        """Give the folder with a version's artifacts, as `download` does, of a version that was looked up already."""
        return cache.fetch(cache_key(version), version.digest, lambda folder: self.copy_artifacts(version, folder))

    def copy_artifacts(self, version: ModelVersion, folder: Path, path: str = "") -> None:
        """Download a version's artifacts into a folder, without a look at the cache.

        Args:
            version: Whose.
            folder: Where to.
            path: One file of them; all when empty.

        Raises:
            ArtifactsUnavailable: MLflow answers and the artifacts cannot be read.
        """
        with self._errors():
            location = self._client.get_model_version_download_uri(version.name, version.version)
        try:
            with self._errors():
                copy_artifacts(self.tracking_url, location, folder, path)
        except (RegistryUnavailable, RegistryRefused) as error:
            self.ping()
            raise ArtifactsUnavailable(version.name, version.version) from error

    def _errors(self) -> AbstractContextManager[None]:
        return registry_errors(self.tracking_url)

    @contextmanager
    def _missing(self, error: ModelNotFound | VersionNotFound) -> Iterator[None]:
        try:
            with self._errors():
                yield
        except RegistryRefused as refusal:
            if is_missing(refusal):
                raise error from refusal
            raise


def cache_key(version: ModelVersion) -> str:
    """Name the entry of a version in the artifact cache: its digest, when one is recorded."""
    if version.digest is not None:
        return version.digest
    # A model may be deleted and registered anew under the same name and number: its source and date then differ.
    identity = f"{version.name}\0{version.version}\0{version.source}\0{version.created.isoformat()}"
    return f"undigested-{hashlib.sha256(identity.encode()).hexdigest()}"


def _quoted(value: str) -> str:
    """Write a value into MLflow's filter language, which knows two quotes and no escape."""
    for quote in ("'", '"'):
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise RegistryRefused("A name with both kinds of quotes cannot be searched for.")


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _model(entity: MlflowModel) -> RegisteredModel:
    return RegisteredModel(
        name=entity.name,
        description=entity.description or "",
        aliases=dict(entity.aliases),
        tags=dict(entity.tags),
        created=_instant(entity.creation_timestamp),
        updated=_instant(entity.last_updated_timestamp),
    )


def _version(entity: MlflowVersion, aliases: Mapping[str, str] | None = None) -> ModelVersion:
    if aliases is None:
        names = tuple(entity.aliases)
    else:
        names = tuple(alias for alias, number in aliases.items() if number == entity.version)
    return ModelVersion(
        name=entity.name,
        version=str(entity.version),
        aliases=names,
        run_id=entity.run_id or None,
        source=entity.source,
        stage=entity.current_stage,
        tags=dict(entity.tags),
        created=_instant(entity.creation_timestamp),
    )
