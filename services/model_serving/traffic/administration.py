"""Changing the traffic of a model: what is asked for is checked, set by compare-and-set and in effect at once."""

import asyncio
import re

from mlplatform.audit.event import Actor
from mlplatform.errors import FieldError, NotFound, Unprocessable
from mlplatform.registry.errors import ModelNotFound
from mlplatform.registry.registry import Registry
from mlplatform.registry.stages import PRODUCTION
from services.model_serving.schemas import MODEL_NAME
from services.model_serving.traffic.aborting import abort
from services.model_serving.traffic.document import Target, TrafficDocument
from services.model_serving.traffic.documents import Documents, Revision
from services.model_serving.traffic.errors import PreconditionFailed, RevisionMissing, TargetRefused
from services.model_serving.traffic.watcher import TrafficWatcher
from services.model_serving.versions.directory import Directory

ANY = "*"
_ETAG = re.compile(r'"?(\d{1,18})"?')


class Administration:
    """What an operator can do.

    Args:
        documents: what is changed.
        watcher: puts it into effect here.
        directory: knows the models and aliases.
        registry: knows the versions.
    """

    def __init__(self, documents: Documents, watcher: TrafficWatcher, directory: Directory, registry: Registry) -> None:
        self._documents = documents
        self._watcher = watcher
        self._directory = directory
        self._registry = registry

    async def read(self, model: str) -> Revision:
        """Return the present document.

        Raises:
            ModelNotFound: there is no such model, and never was a document for one.
        """
        _check_name(model)
        found = await self._documents.read(model)
        if not found.revision:
            await self._directory.find(model)
        return found

    async def put(
        self, model: str, document: TrafficDocument, *, if_match: str | None, actor: Actor, reason: str | None
    ) -> Revision:
        """Put a document into effect.

        Args:
            model: its name.
            document: the new one.
            if_match: the revision that it replaces, as an ETag; `*` for any.
            actor: who does it.
            reason: why.

        Raises:
            ModelNotFound: there is no such model.
            TargetRefused: it names a version or an alias that does not exist.
            RevisionMissing: there is a document, and no revision was named.
            PreconditionFailed: it is at another revision.
        """
        before = await self.read(model)
        _check_revision(before, if_match)
        await self._directory.find(model)
        await self._check_targets(model, document)
        after = await self._documents.replace(before, document, actor=actor, reason=reason)
        await self._watcher.sync()
        return after

    async def clear(self, model: str, *, if_match: str | None, actor: Actor, reason: str | None) -> Revision:
        """Send all traffic to production again.

        Raises:
            As `put`.
        """
        before = await self.read(model)
        _check_revision(before, if_match)
        if before.document is None:
            return before
        after = await self._documents.replace(before, None, actor=actor, reason=reason)
        await self._watcher.sync()
        return after

    async def abort(
        self, model: str, route: str, *, if_match: str | None, actor: Actor, reason: str | None
    ) -> Revision:
        """Take the traffic away from a canary or an arm; no revision needs to be named, since haste is the point.

        Raises:
            NotFound: there is no document.
            NothingToAbort: the route has no traffic.
            PreconditionFailed: a revision was named, and it is another one.
        """
        before = await self.read(model)
        _check_revision(before, if_match or ANY)
        if before.document is None:
            raise NotFound(f"Model {model!r} has no routing document; all its traffic goes to production.")
        after = await abort(self._documents, before, route, actor=actor, reason=reason)
        await self._watcher.sync()
        return after

    async def _check_targets(self, model: str, document: TrafficDocument) -> None:
        errors = []
        for path, target in _named(document):
            try:
                await self._check_target(model, target)
            except NotFound as error:
                errors.append(FieldError(f"body.document.{path}", error.detail))
        if errors:
            raise TargetRefused(errors)

    async def _check_target(self, model: str, target: Target) -> None:
        if target.version is not None:
            await asyncio.to_thread(self._registry.get_version, model, target.version)
        elif target.alias is not None:
            await self._directory.find_alias(model, target.alias)


def _named(document: TrafficDocument) -> list[tuple[str, Target]]:
    named: list[tuple[str, Target]] = []
    if document.primary != PRODUCTION:
        named.append(("primary", Target(alias=document.primary)))
    if document.canary is not None:
        named.append(("canary", document.canary))
    named.extend((f"shadow.{position}", shadow) for position, shadow in enumerate(document.shadow))
    arms = () if document.experiment is None else document.experiment.arms
    named.extend((f"experiment.arms.{position}", arm) for position, arm in enumerate(arms))
    return named


def _check_name(model: str) -> None:
    if not re.match(MODEL_NAME, model):
        raise ModelNotFound("No model has such a name.")


def _check_revision(before: Revision, if_match: str | None) -> None:
    if if_match == ANY:
        return
    if if_match is None:
        if before.document is not None:
            raise RevisionMissing(
                f"Model {before.model!r} has a routing document, at revision {before.revision}. Read it, and send the "
                "header If-Match with the ETag that you got, so that nobody's change is lost."
            )
        return
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        message = 'must be the ETag of the document, such as "3", or *'
        raise Unprocessable("The header If-Match cannot be read.", errors=[FieldError("header.If-Match", message)])
    if int(found[1]) != before.revision:
        raise PreconditionFailed(
            f"The traffic of {before.model} is at revision {before.revision}, not {found[1]}; read it again."
        )
