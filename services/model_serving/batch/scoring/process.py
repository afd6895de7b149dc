"""The handle of a process that scores."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from threading import Lock
from typing import TypeVar

import structlog

from services.model_serving.batch import metrics
from services.model_serving.batch.scoring.assignment import (
    LOADING,
    STOP,
    Assignment,
    Phase,
    Report,
    Stopped,
    Unavailable,
    read_report,
)
from services.model_serving.batch.scoring.entry import main
from services.model_serving.batch.scoring.memory import Ceiling
from services.model_serving.batch.scoring.watch import Took, Watch
from services.model_serving.settings import ServingSettings

PRELOAD = ["services.model_serving.batch.scoring.preload"]
JOIN_SECONDS = 5.0

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class ScorerDiedError(Exception):
    """The process ended while it worked.

    Attributes:
        loading: Whether it loaded the model just then.
    """

    def __init__(self, cause: str, *, loading: bool) -> None:
        super().__init__(cause)
        self.loading = loading


class ScorerProcess:
    """Starts a process when there is something to score, and a new one when that has died or grown too large.

    Args:
        settings: Of serving.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        self._process: ForkServerProcess | None = None
        self._connection: Connection | None = None
        self._ceiling: Ceiling | None = None
        self._sending = Lock()
        """Held while something is sent, and while the connection is closed."""
        self._phase = ""
        self._is_wanted = True

    async def start(self) -> None:
        """Start a process unless one runs; the first takes as long as importing MLflow does."""
        await self._in_thread(self._start)

    @property
    def is_loading(self) -> bool:
        """Whether it loads a model, as far as it has said."""
        return self._phase == LOADING

    async def score(self, assignment: Assignment) -> Report:
        """Have a chunk scored; it can be tried later when no process can be started.

        Raises:
            ScorerDiedError: The process ended over it.
        """
        self._phase, self._is_wanted = "", True
        return await self._in_thread(lambda: self._score(assignment))

    def stop(self) -> None:
        """Have it give up at the next opportunity; nothing comes of it while an assignment is being sent."""
        self._is_wanted = False
        if not self._sending.acquire(blocking=False):
            return
        try:
            connection = self._connection
            if connection is not None:
                connection.send_bytes(STOP)
        except OSError:
            return  # it has died, which whoever waits for it learns
        finally:
            self._sending.release()

    def kill(self) -> None:
        """End it now; whoever waits for it learns that it died, or that it did not begin."""
        self._is_wanted = False
        process = self._process  # the thread that scores may forget it meanwhile
        if process is not None:
            process.kill()

    async def close(self) -> None:
        """End it."""
        self.kill()
        await self._in_thread(self._forget)
        self._threads.shutdown()

    def _start(self) -> None:
        if self._connection is not None and self._process is not None and self._process.is_alive():
            return
        self._forget()
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=main, args=(theirs, self._settings), name="batch-scorer", daemon=True)
        process.start()
        theirs.close()  # so that its death closes the pipe
        self._process, self._connection = process, ours
        settings = self._settings
        self._ceiling = Ceiling(int(settings.batch_scorer_memory), settings.batch_models, process.pid or 0)

    def _score(self, assignment: Assignment) -> Report:
        try:
            self._start()
        except (EOFError, OSError) as error:  # no memory or files are left, or the server of forks has just died
            return Unavailable(f"No process that scores can be started: {type(error).__name__}.")
        connection, watch = self._connection, Watch()
        if connection is None:
            raise ScorerDiedError("it was closed", loading=False)
        try:
            with self._sending:
                if not self._is_wanted:
                    return Stopped()  # it was told to give up while the process before it ended
                connection.send_bytes(assignment.write())
            while isinstance(report := read_report(connection.recv_bytes()), Phase):
                self._phase = report.name
                watch.note(report.name)
        except (EOFError, OSError) as error:
            raise ScorerDiedError(self._cause(), loading=self._phase == LOADING) from error
        # After this has returned, for it takes seconds when a thread of a model holds the process up.
        self._threads.submit(self._recycle, watch.took()).add_done_callback(_log_fault)
        return report

    def _recycle(self, took: Took) -> None:
        """End a process between two chunks when it has grown too large; the next chunk has another one."""
        if self._process is None or self._ceiling is None:
            return
        memory = self._ceiling.passed(took)
        if memory is None:
            return
        self._hang_up()  # upon which it ends
        self._process.join(JOIN_SECONDS)
        self._process.kill()  # if a thread of a model holds it up
        self._forget()
        metrics.RECYCLED.inc()
        log.info("batch.scorer_recycled", memory_bytes=memory, most_bytes=int(self._settings.batch_scorer_memory))

    def _cause(self) -> str:
        if self._process is None:
            return "it was closed"
        self._process.join(JOIN_SECONDS)
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def _hang_up(self) -> None:
        with self._sending:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _forget(self) -> None:
        self._hang_up()
        if self._process is not None:
            self._process.join(JOIN_SECONDS)
            self._process = None

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _log_fault(done: "Future[None]") -> None:
    if (fault := done.exception()) is not None:
        log.error("batch.not_recycled", exc_info=fault)
