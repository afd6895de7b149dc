"""A worker, to be forked from a process that has imported what it needs.

What its scorers are forked from is a fork too, and no program of its own: the imports of each take seconds.
"""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from itertools import pairwise
from multiprocessing import forkserver, util
from unittest import mock

from services.model_serving.batch.__main__ import main
from services.model_serving.batch.scoring.process import PRELOAD

IMPORTED = (*PRELOAD, "services.model_serving.batch.app", "services.model_serving.app")
"""First what sets the environment before numpy and MLflow read it; the service's too, which is forked from the same."""
STREAMS = (0, 1, 2)
MOST_FILES = 4096


def fork(_path: str, arguments: Sequence[bytes | str], kept: Iterable[int]) -> int:
    """Do in a fork what `python -c` would, with the same files open; return its process."""
    if pid := os.fork():
        return pid
    try:
        files = sorted({*STREAMS, *kept, MOST_FILES})
        for one, other in pairwise(files):
            os.closerange(one + 1, other)
        for name in PRELOAD:  # it sets the environment, which is this worker's own by now
            sys.modules.pop(name, None)
        exec(arguments[-1], {})  # noqa: S102 (a line of the standard library's own)
    except SystemExit:  # as it ends where it is a program of its own
        os._exit(0)
    except BaseException:  # noqa: BLE001 (nothing may unwind into frames of the process that was forked)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOAD)
    with mock.patch.object(util, "spawnv_passfds", fork):
        forkserver.ensure_running()
    main()
