"""The program of a process that scores: one assignment after the other, until nobody gives any more."""

import os
import signal
from functools import partial
from multiprocessing.connection import Connection

import orjson
from structlog import get_logger

from mlplatform.errors import DependencyUnavailable, PlatformError
from mlplatform.registry.registry import Registry
from mlplatform.telemetry import configure_logs
from services.model_serving.batch.scoring.assignment import (
    LOADING,
    SCORING,
    STOP,
    Assignment,
    Phase,
    Report,
    Stopped,
    Unavailable,
    Unloadable,
    Unreadable,
    write_report,
)
from services.model_serving.batch.scoring.bench import Bench, NotLoaded
from services.model_serving.batch.scoring.models import Models
from services.model_serving.batch.scoring.pace import Paces
from services.model_serving.batch.scoring.tasks import find_task, task_name
from services.model_serving.batch.uploads.shelf import Shelf
from services.model_serving.engine.loaded_model import LoadedModel
from services.model_serving.errors import reason
from services.model_serving.loading.loader import make_loader
from services.model_serving.process import after_fork
from services.model_serving.settings import ServingSettings

NAME = "batch-scorer"

log = get_logger(__name__)


class GiveUp(BaseException):
    """Somebody said to stop. No Exception, which a model's code may catch."""


class Scorer:
    """Scores what comes over a connection.

    Args:
        connection: To the process that holds the leases.
        models: The versions in memory.
        settings: Of serving.
    """

    def __init__(self, connection: Connection, models: Models, settings: ServingSettings) -> None:
        self._connection = connection
        self._models = models
        self._settings = settings
        self._paces = Paces()
        self._shelf = Shelf()

    def run(self) -> None:
        """Work until the other end is closed."""
        while True:
            try:
                message = self._connection.recv_bytes()
            except EOFError:
                return
            if message == STOP:  # it came when the work was done
                continue
            try:
                report = self._work(Assignment.read(message))
            except GiveUp:
                report = Stopped()
            self._say(report)

    def _work(self, assignment: Assignment) -> Report:
        try:
            params = orjson.dumps(assignment.params, option=orjson.OPT_SORT_KEYS)
            pace = self._paces.of(assignment.job, (assignment.model, params, task_name(assignment)))
            self._shelf.begin(assignment.job)
            model, exchange = partial(self._model, assignment), lambda: self._models.exchange
            bench = Bench(model, self._check, self._settings, pace, exchange, self._shelf)
            return find_task(assignment)(assignment, bench)
        except NotLoaded as error:
            return Unloadable(error.reason)
        except DependencyUnavailable as error:
            return Unavailable(error.detail)
        except PlatformError as error:  # such as an object that is gone; it would be so for each of the items
            log.warning("batch.not_done", kind=assignment.kind, job=assignment.job, reason=reason(error))
            return Unreadable(reason(error))

    def _model(self, assignment: Assignment) -> LoadedModel:
        try:
            model = self._load(assignment)
        except (DependencyUnavailable, GiveUp, BrokenPipeError):
            raise
        except PlatformError as error:
            raise NotLoaded(reason(error)) from error
        except BaseException as error:
            log.warning("batch.model_not_loaded", model=assignment.model.name, reason=reason(error))
            raise NotLoaded(reason(error)) from error
        self._say(Phase(SCORING))
        return model

    def _load(self, assignment: Assignment) -> LoadedModel:
        if not self._models.knows(assignment.model):
            self._say(Phase(LOADING))
        return self._models.get(assignment.model)

    def _check(self) -> None:
        """Give up when told to, or when nobody is there to hear of it."""
        if self._connection.poll():
            try:
                self._connection.recv_bytes()
            except EOFError:
                os._exit(os.EX_OK)
            raise GiveUp

    def _say(self, report: Report) -> None:
        self._connection.send_bytes(write_report(report))


def run(connection: Connection, settings: ServingSettings) -> None:
    """Score until the other end is closed.

    Args:
        connection: To the process that holds the leases.
        settings: Of serving, so that models are loaded as they are there.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # they go to the whole group, and the other process sees to the end
        signal.signal(number, signal.SIG_IGN)
    after_fork()
    configure_logs(settings, NAME)
    registry = Registry(settings.mlflow_url)
    loader, memory = make_loader(registry, settings), int(settings.batch_scorer_memory)
    models = Models(registry, loader, settings.batch_models, memory)
    try:
        Scorer(connection, models, settings).run()
    except (BrokenPipeError, ConnectionResetError):
        return  # the other process ended while this one worked
