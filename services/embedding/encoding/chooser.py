"""Finds the fastest backend beside a service that serves already, and exchanges the one it started with."""

import asyncio
import subprocess
import sys
import threading

import structlog

from services.embedding.encoding.backend import Backend
from services.embedding.encoding.encoder import Encoder
from services.embedding.encoding.exports import ExportMissingError
from services.embedding.encoding.names import BackendName
from services.embedding.encoding.opening import open_backend
from services.embedding.encoding.report import Choice
from services.embedding.encoding.selection import Selection
from services.embedding.encoding.trials import Record

PROGRAM = (sys.executable, "-m", "services.embedding.encoding.prepare")
SPARE_RUNS = 4

log = structlog.get_logger(__name__)


class ChoiceFailedError(Exception):
    """The backends could not be tried to the end."""


class Chooser:
    """A loop beside the service: it chooses once, and then waits to be stopped.

    What was measured before is not measured again: then the chosen backend serves as soon as it is loaded.

    Args:
        encoder: What serves, on the reference backend.
        selection: The model, and what to choose from.
    """

    def __init__(self, encoder: Encoder, selection: Selection) -> None:
        self._encoder = encoder
        self._selection = selection
        self._stopped = asyncio.Event()
        self._guard = threading.Lock()
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        encoder.choice = Choice(wanted=selection.wanted)

    async def run(self) -> None:
        """Choose, then wait until stopped. Whatever goes wrong, the backend that serves goes on serving."""
        (problem,) = await asyncio.gather(asyncio.to_thread(self.choose), return_exceptions=True)
        if isinstance(problem, BaseException) and not self._stopping:
            log.error("embedding.choice_failed", exc_info=problem)
            self._note(self._selection.records().read(), f"the choice failed with {type(problem).__name__}: {problem}")
        await self._stopped.wait()

    def stop(self) -> None:
        """Let `run` return soon; what was measured so far is kept."""
        with self._guard:
            self._stopping = True
            if self._process is not None:
                self._process.terminate()
        self._stopped.set()

    def choose(self) -> None:
        """Choose and exchange the backend; it blocks for as long as it takes to try them.

        Raises:
            ChoiceFailedError: The process that tries them ended again and again.
        """
        selection = self._selection
        if selection.wanted == self._encoder.backend:
            self._note(Record(), None)
            return
        records = selection.records()
        if selection.is_open(records.read()):
            self._prepare()
        record = records.read()
        name = record.choose(selection.wanted)
        if self._stopping:
            return
        if name != self._encoder.backend:
            self._encoder.use(self._open(name), token_budget=selection.budget(name), go_on=lambda: not self._stopping)
        wanted = record.find(selection.wanted)
        self._note(record, wanted.refused if wanted is not None else None)
        log.info("embedding.backend_chosen", backend=self._encoder.backend, trials=[*map(str, record.trials)])

    def _open(self, name: BackendName) -> Backend:
        exports = self._selection.exports()
        try:
            return open_backend(name, self._selection, exports)
        except ExportMissingError:
            self._prepare()
            return open_backend(name, self._selection, exports)

    def _prepare(self) -> None:
        """Try backends in a process of its own, and in another one where one of them ends that process."""
        for _ in range(2 * len(self._selection.candidates()) + SPARE_RUNS):
            with self._guard:
                if self._stopping:
                    return
                command = [*PROGRAM, self._selection.model_dump_json()]
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with settings of its own
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                )
            status = self._process.wait()
            if self._stopping:
                records = self._selection.records()
                records.write(records.read().abandon())
                return
            if status == 0:
                return
            log.warning("embedding.preparation_ended", status=status, trying=self._selection.records().read().trying)
        raise ChoiceFailedError("the process that tries backends does not get to its end; the log has its words")

    def _note(self, record: Record, problem: str | None) -> None:
        self._encoder.choice = Choice(
            wanted=self._selection.wanted,
            complete=True,
            problem=problem,
            trials=record.trials,
            compared=record.compared,
        )
