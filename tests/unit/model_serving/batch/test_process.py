"""What becomes of chunks while a process that scores ends."""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.model_serving.batch.scoring import process as module
from services.model_serving.batch.scoring.assignment import (
    LOADING,
    SCORING,
    STOP,
    Assignment,
    Phase,
    Scored,
    Stopped,
    write_report,
)
from services.model_serving.batch.scoring.process import ScorerProcess
from services.model_serving.batch.scoring.watch import Took
from services.model_serving.engine.identity import ModelIdentity

ASSIGNMENT = Assignment(ModelIdentity("model", "1", key="key", digest=None, run_id=None), {}, (0,), b"[1]")
SETTINGS = SimpleNamespace(batch_scorer_memory=1, batch_models=2)
DEADLINE = 30


class Child:
    """A process that loads a version for its first chunk, and ends when it is killed and not before.

    Args:
        connection: To whoever has it score.
    """

    pid = 1
    exitcode = -9

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._thread = Thread(target=self._work, daemon=True)
        self.ended = Event()
        self.scored = 0

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return not self.ended.is_set()

    def join(self, _: float) -> None:
        self.ended.wait()

    def kill(self) -> None:
        self.ended.set()

    def _work(self) -> None:
        with self._connection as connection:
            while True:
                try:
                    message = connection.recv_bytes()
                except EOFError:
                    return
                if message == STOP:
                    continue
                for phase in (SCORING,) if self.scored else (LOADING, SCORING):
                    connection.send_bytes(write_report(Phase(phase)))
                self.scored += 1
                connection.send_bytes(write_report(Scored([])))


class Context:
    """Starts such processes."""

    def __init__(self) -> None:
        self.children: list[Child] = []

    def set_forkserver_preload(self, _: list[str]) -> None:
        pass

    def Pipe(self) -> tuple[Connection, Any]:  # noqa: N802 (as in the standard library)
        ours, self._theirs = multiprocessing.Pipe()
        return ours, SimpleNamespace(close=lambda: None)  # it is not copied here, as it is into a process

    def Process(self, **_: Any) -> Child:  # noqa: N802
        self.children.append(Child(self._theirs))
        return self.children[-1]


class Ceiling:
    """Has each process replaced after its second chunk.

    Args:
        chunks: To which those are added that it is told of.
    """

    def __init__(self, chunks: list[Took]) -> None:
        self._chunks = chunks
        self._count = 0

    def passed(self, took: Took) -> int | None:
        self._chunks.append(took)
        self._count += 1
        return 1 if self._count > 1 else None


class Failing(Ceiling):
    """Cannot say whether a process has grown."""

    def passed(self, took: Took) -> int | None:
        super().passed(took)
        raise ValueError(took)


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> Context:
    made = Context()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: made)
    return made


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> list[Took]:
    found: list[Took] = []
    monkeypatch.setattr(module, "Ceiling", lambda *_: Ceiling(found))
    return found


@asynccontextmanager
async def scoring() -> AsyncIterator[ScorerProcess]:
    scorer = ScorerProcess(SETTINGS)
    try:
        async with asyncio.timeout(DEADLINE):
            yield scorer
    finally:
        await scorer.close()


class TestRecycle:
    @pytest.mark.usefixtures("chunks")
    async def test_a_report_does_not_wait_for_the_end_of_its_process(self, context: Context) -> None:
        async with scoring() as scorer:
            for _ in range(2):
                assert await scorer.score(ASSIGNMENT) == Scored([])
            (first,) = context.children
            assert first.is_alive()
            third = asyncio.create_task(scorer.score(ASSIGNMENT))
            await asyncio.sleep(0)
            first.kill()
            assert await third == Scored([])
        assert [child.scored for child in context.children] == [2, 1]

    @pytest.mark.usefixtures("context")
    async def test_it_is_told_which_chunks_loaded_a_version(self, chunks: list[Took]) -> None:
        async with scoring() as scorer:
            for _ in range(2):
                await scorer.score(ASSIGNMENT)
        assert [took.loading is None for took in chunks] == [False, True]

    async def test_what_nobody_foresaw_is_logged_and_costs_no_report(
        self, context: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "Ceiling", lambda *_: Failing([]))
        with capture_logs() as logs:
            async with scoring() as scorer:
                for _ in range(2):
                    assert await scorer.score(ASSIGNMENT) == Scored([])
        assert [child.scored for child in context.children] == [2]
        assert [line["event"] for line in logs] == ["batch.not_recycled"] * 2

    @pytest.mark.usefixtures("chunks")
    @pytest.mark.parametrize("give_up", [ScorerProcess.stop, ScorerProcess.kill])
    async def test_a_chunk_that_is_given_up_meanwhile_is_not_begun(
        self, context: Context, give_up: Callable[[ScorerProcess], None]
    ) -> None:
        async with scoring() as scorer:
            for _ in range(2):
                await scorer.score(ASSIGNMENT)
            third = asyncio.create_task(scorer.score(ASSIGNMENT))
            await asyncio.sleep(0)
            give_up(scorer)
            context.children[0].kill()
            assert await third == Stopped()
            assert await scorer.score(ASSIGNMENT) == Scored([])
        assert sum(child.scored for child in context.children) == 3


class Forgetful(ScorerProcess):
    """What another thread forgets as soon as this one has looked whether it is there."""

    seen: Any = None

    @property
    def _process(self) -> Any:
        found, self.seen = self.seen, None
        return found

    @_process.setter
    def _process(self, process: Any) -> None:
        self.seen = process

    @property
    def _connection(self) -> Any:
        found, self.seen = self.seen, None
        return found

    @_connection.setter
    def _connection(self, connection: Any) -> None:
        self.seen = connection


@pytest.mark.usefixtures("context")
class TestRace:
    def test_a_process_that_is_forgotten_while_it_is_killed(self) -> None:
        scorer, killed = Forgetful(SETTINGS), []
        scorer.seen = SimpleNamespace(kill=lambda: killed.append(True))
        scorer.kill()
        assert killed == [True]
        scorer.kill()

    def test_a_connection_that_is_forgotten_while_something_is_sent(self) -> None:
        scorer, sent = Forgetful(SETTINGS), []
        scorer.seen = SimpleNamespace(send_bytes=sent.append)
        scorer.stop()
        assert sent == [STOP]
        scorer.stop()

    def test_a_connection_is_not_closed_while_something_is_sent(self) -> None:
        scorer, done = ScorerProcess(SETTINGS), []
        closing = Thread(target=scorer._forget)

        def send(_: bytes) -> None:
            closing.start()
            closing.join(0.2)
            done.append("sent")

        scorer._connection = SimpleNamespace(send_bytes=send, close=lambda: done.append("closed"))
        scorer.stop()
        closing.join()
        assert done == ["sent", "closed"]
