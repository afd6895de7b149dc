"""The serving service: its application, and the only place where its parts are put together."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from mlplatform.events import ModelPromoted, StreamTail, running
from mlplatform.registry.ledger import PromotionLedger
from mlplatform.registry.registry import Registry
from mlplatform.service import Kernel, create_service, open_kernel
from services.model_serving.catalog.catalog import Catalog
from services.model_serving.dataplane import Dataplane
from services.model_serving.engine.engine import Engine
from services.model_serving.explanation.explanations import ExplanationLimits, Explanations
from services.model_serving.loading.loader import make_loader
from services.model_serving.protocols import mlflow_scoring, native, open_inference
from services.model_serving.routes import models, promotions
from services.model_serving.routes import traffic as traffic_routes
from services.model_serving.serving import Serving
from services.model_serving.settings import ServingSettings
from services.model_serving.traffic.traffic import open_traffic
from services.model_serving.versions.checks import ModelChecks
from services.model_serving.versions.choice import Versions
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.extras import ExtraVersions
from services.model_serving.versions.last_known import LastKnown
from services.model_serving.versions.residents import Residents
from services.model_serving.versions.retirement import Retirement
from services.model_serving.versions.store import LoadedModels
from services.model_serving.versions.watcher import AliasWatcher

NAME = "serving"
LOADING_THREADS = 2
"""One loads while the other downloads; models are loaded one at a time in any case."""
DESCRIPTION = """Predictions of the models in the registry.

A model is served within seconds of its promotion, without a restart and without a failed request. Every answer names
the version that gave it.
"""


def create_app(settings: ServingSettings | None = None) -> FastAPI:
    """Make the application.

    Args:
        settings: read from the environment unless given.
    """
    settings = settings or ServingSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, NAME) as kernel, _open_serving(kernel, settings) as serving:
            app.state.kernel = kernel
            app.state.serving = serving
            yield

    return create_service(
        settings=settings,
        title="Model serving",
        description=DESCRIPTION,
        lifespan=lifespan,
        routers=[
            models.router,
            promotions.router,
            traffic_routes.router,
            traffic_routes.changes,
            mlflow_scoring.router,
            open_inference.router,
        ],
        direct=[*native.ROUTES, *mlflow_scoring.ROUTES, *open_inference.ROUTES],
        name=NAME,
    )


@asynccontextmanager
async def _open_serving(kernel: Kernel, settings: ServingSettings) -> AsyncIterator[Serving]:
    async with AsyncExitStack() as stack:
        registry = Registry(settings.mlflow_url)
        directory = Directory(registry, settings.serving_models)
        store = LoadedModels(settings.serving_extra_versions)
        loader = make_loader(registry, settings)
        executor = stack.enter_context(ThreadPoolExecutor(LOADING_THREADS, thread_name_prefix="load"))
        retirement = Retirement()
        stack.push_async_callback(retirement.close)
        engine = Engine(
            threads=settings.serving_threads,
            queue_size=settings.serving_queue_size,
            timeout=settings.serving_timeout,
            max_batch_rows=settings.serving_max_batch_rows,
            batching=settings.serving_batching,
        )
        stack.push_async_callback(engine.close)
        explanations = Explanations(
            ExplanationLimits(
                rows=settings.serving_explain_max_rows,
                columns=settings.serving_explain_max_columns,
                threads=settings.serving_explain_threads,
                queue_size=settings.serving_explain_queue_size,
                timeout=settings.serving_explain_timeout,
            )
        )
        stack.push_async_callback(explanations.close)
        extras = ExtraVersions(loader, store, retirement, executor, settings.serving_timeout.total_seconds())
        stack.push_async_callback(extras.close)
        watcher = AliasWatcher(
            registry=registry,
            directory=directory,
            loader=loader,
            store=store,
            retirement=retirement,
            last_known=LastKnown(settings.cache_folder),
            executor=executor,
            events=StreamTail(kernel.redis, ModelPromoted.event_type),
            interval=settings.serving_poll_interval,
        )
        watching = await stack.enter_async_context(running(watcher, "alias watcher"))
        checks = ModelChecks(registry, store, watcher)
        kernel.health.register("s3", kernel.objects.ping)
        kernel.health.register("mlflow", checks.registry)
        kernel.health.register("models", checks.models)
        kernel.health.register("alias watcher", watching)
        versions = Versions(store=store, extras=extras, directory=directory, registry=registry, watcher=watcher)
        traffic = await stack.enter_async_context(
            open_traffic(kernel, settings, registry=registry, directory=directory, versions=versions, store=store)
        )
        yield Serving(
            dataplane=Dataplane(engine, versions, traffic.router, [traffic.observer]),
            engine=engine,
            explanations=explanations,
            versions=versions,
            residents=Residents(store, directory, retirement),
            catalog=Catalog(registry, store, watcher),
            ledger=PromotionLedger(kernel.database),
            objects=kernel.objects,
            traffic=traffic,
        )
