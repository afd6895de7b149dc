"""Blocking work that may raise anything, such as a model's own code."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from services.model_serving.errors import LoadError

Result = TypeVar("Result")


async def attempt(executor: Executor | None, work: Callable[[], Result]) -> Result | BaseException:
    """Run `work` in a thread and return what it returned or raised; a fault of the work is no fault of the caller's.

    Args:
        executor: whose thread; None for the one of the event loop.
        work: what to do.
    """
    future = asyncio.get_running_loop().run_in_executor(executor, _without_stop_iteration, work)
    await asyncio.wait({future})
    error = future.exception()
    return future.result() if error is None else error


def _without_stop_iteration(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except StopIteration as error:  # asyncio cannot carry this one from a thread to its waiter
        raise LoadError("The model's code ran out of an iterator.") from error
