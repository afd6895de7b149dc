"""The serving service: its application, and the only place where its parts are put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from mlplatform.events import running
from mlplatform.registry.approvals.book import ApprovalBook
from mlplatform.registry.drift.detector import DriftDetector
from mlplatform.registry.ledger import PromotionLedger
from mlplatform.registry.registry import Registry
from mlplatform.service import Kernel, create_service, open_kernel
from services.model_serving.batch.batch import open_batch
from services.model_serving.catalog.catalog import Catalog
from services.model_serving.dataplane import Dataplane
from services.model_serving.drift import DriftWatch
from services.model_serving.engine.engine import Engine
from services.model_serving.explanation.explanations import ExplanationLimits, Explanations
from services.model_serving.monitoring.composition import open_monitoring
from services.model_serving.monitoring.references import References
from services.model_serving.protocols import mlflow_scoring, native, open_inference
from services.model_serving.routes import (
    exports,
    feedback,
    jobs,
    models,
    monitoring,
    promotions,
    reports,
    reviews,
    tables,
    uploads,
    webhooks,
)
from services.model_serving.routes import traffic as traffic_routes
from services.model_serving.serving import Serving
from services.model_serving.settings import ServingSettings
from services.model_serving.traffic.traffic import open_traffic
from services.model_serving.versions.assembly import open_versions
from services.model_serving.versions.image import Image

NAME = "serving"
DESCRIPTION = """Predictions of the models in the registry.

A model is served within seconds of its promotion, without a restart and without a failed request. Every answer names
the version that gave it.
"""


def create_app(settings: ServingSettings | None = None, image: Image | None = None) -> FastAPI:
    """Make the application.

    Args:
        settings: read from the environment unless given.
        image: what is in memory already, in a process that was forked to share it.
    """
    settings = settings or ServingSettings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_kernel(settings, NAME) as kernel, _open_serving(kernel, settings, image) as serving:
            app.state.kernel = kernel
            app.state.serving = serving
            if image is not None:
                app.state.renewal_wanted = partial(serving.production.differs, image)
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
            monitoring.router,
            feedback.router,
            jobs.router,
            tables.router,
            exports.router,
            uploads.router,
            webhooks.router,
            reports.router,
            reviews.router,
            mlflow_scoring.router,
            open_inference.router,
        ],
        direct=[*native.ROUTES, *mlflow_scoring.ROUTES, *open_inference.ROUTES],
        streamed=[tables.PATH, uploads.PATH],
        name=NAME,
    )


@asynccontextmanager
async def _open_serving(kernel: Kernel, settings: ServingSettings, image: Image | None) -> AsyncIterator[Serving]:
    async with AsyncExitStack() as stack:
        registry = Registry(settings.mlflow_url)
        parts = await stack.enter_async_context(open_versions(kernel, registry, settings, image))
        engine = _make_engine(settings)
        stack.push_async_callback(engine.close)
        explanations = _make_explanations(settings, registry)
        stack.push_async_callback(explanations.close)
        drift = DriftWatch(DriftDetector(kernel.database, registry, kernel.audit), settings.serving_drift_interval)
        kernel.health.register("s3", kernel.objects.ping)
        kernel.health.register("drift watch", await stack.enter_async_context(running(drift, "drift watch")))
        traffic = await stack.enter_async_context(
            open_traffic(
                kernel,
                settings,
                registry=registry,
                directory=parts.directory,
                versions=parts.versions,
                store=parts.store,
            )
        )
        watched = await stack.enter_async_context(
            open_monitoring(
                database=kernel.database,
                registry=registry,
                directory=parts.directory,
                health=kernel.health,
                settings=settings,
                outcomes=traffic.experiments,
            )
        )
        batch = await stack.enter_async_context(
            open_batch(kernel, settings, registry=registry, directory=parts.directory, store=parts.store)
        )
        yield Serving(
            dataplane=Dataplane(engine, parts.versions, traffic.router, [traffic.observer, watched.observer]),
            engine=engine,
            explanations=explanations,
            versions=parts.versions,
            residents=parts.residents,
            production=parts.production,
            catalog=Catalog(registry, parts.store, parts.production),
            ledger=PromotionLedger(kernel.database),
            approvals=ApprovalBook(kernel.database),
            drift=drift,
            objects=kernel.objects,
            traffic=traffic,
            monitoring=watched.monitoring,
            batch=batch,
        )


def _make_engine(settings: ServingSettings) -> Engine:
    return Engine(
        threads=settings.serving_threads,
        queue_size=settings.serving_queue_size,
        timeout=settings.serving_timeout,
        max_batch_rows=settings.serving_max_batch_rows,
        batching=settings.serving_batching,
    )


def _make_explanations(settings: ServingSettings, registry: Registry) -> Explanations:
    references = References(registry, settings.cache_folder)
    return Explanations(
        ExplanationLimits(
            rows=settings.serving_explain_max_rows,
            columns=settings.serving_explain_max_columns,
            threads=settings.serving_explain_threads,
            queue_size=settings.serving_explain_queue_size,
            timeout=settings.serving_explain_timeout,
        ),
        lambda model, version: references.of(model, version).profile,
    )
