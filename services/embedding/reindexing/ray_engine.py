"""Reindexing by a pool of actors with Ray Data, for millions of items.

Ray's own state is of no account: each range has its checkpoint in Postgres. An actor that is lost is replaced, and the
range goes on from there; after the driver was lost, a further run finds the ranges that are left.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import ray
import ray.data

from mlplatform.database import Database
from mlplatform.events import running
from mlplatform.registry.registry import Registry
from mlplatform.spaces.space import Space
from services.embedding import model_files
from services.embedding.batcher import Batcher
from services.embedding.loading import load
from services.embedding.reindexing.errors import ReindexError
from services.embedding.reindexing.options import Options
from services.embedding.reindexing.shards import ShardWorker
from services.embedding.settings import EmbeddingSettings

CONNECTIONS = 2
Row = dict[str, Any]


class ShardActor:
    """Has the model of a space in memory and works on one range after the other. Reads its settings where it runs.

    Args:
        space: The space to fill.
        job: Name of the job.
        batch: Items encoded and stored together.
        threads: Of the model.
    """

    def __init__(self, space: Space, job: str, batch: int, threads: int) -> None:
        self._job = job
        self._runner = asyncio.Runner()
        self._worker = self._runner.run(self._open(space, batch, threads))

    def __call__(self, row: Row) -> Row:
        """Work on a range."""
        done = self._runner.run(self._worker.work(row["tenant"], self._job, int(row["shard"])))
        return {**row, "stored": done.stored, "failed": done.failed}

    async def _open(self, space: Space, batch: int, threads: int) -> ShardWorker:
        settings = EmbeddingSettings()
        registry = Registry(settings.mlflow_url)
        files = await asyncio.to_thread(
            model_files.fetch, registry, settings.model_cache, space.version, model=space.model
        )
        if files.digest != space.digest:
            raise ReindexError(f"version {space.version} of {space.model} has other weights than space {space.id}")
        encoder, chooser = await asyncio.to_thread(load, files, settings, threads=threads)
        batcher = Batcher(encoder, max_queued_texts=settings.embedding_queued_texts)
        database = Database(settings.database_url.get_secret_value(), max_size=CONNECTIONS, application_name="reindex")
        await database.open()
        # The loops end with the process of the actor: Ray gives it no other end.
        self._loops = AsyncExitStack()
        await self._loops.enter_async_context(running(batcher, "encoder"))
        await self._loops.enter_async_context(running(chooser, "encoder choice"))
        return ShardWorker(database, batcher, space, batch=batch)


def run(
    options: Options, space: Space, job: str, shards: Sequence[Mapping[str, Any]], progress: Callable[[int], None]
) -> None:
    """Work on ranges until all are done.

    Args:
        options: What the script was told.
        space: The space to fill.
        job: Name of the job.
        shards: tenant and shard of each range that is left.
        progress: Is told how many more items are done.

    Raises:
        ray.exceptions.RayError: The cluster is gone, or an actor cannot be started.
    """
    ray.init(address=options.address, ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = 0
        done = ray.data.from_items([dict(shard) for shard in shards], override_num_blocks=len(shards)).map(
            ShardActor,
            fn_constructor_args=(space, job, options.batch_size, max(1, int(options.cpus))),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(options.actors, len(shards))),
            num_cpus=options.cpus,
            num_gpus=options.gpus,
            max_restarts=-1,
            max_task_retries=-1,
        )
        for row in done.iter_rows():
            progress(int(row["stored"]) + int(row["failed"]))
    finally:
        ray.shutdown()
