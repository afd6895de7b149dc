"""Everything about traffic that a running service holds, put together."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mlplatform.events import StreamTail, TrafficChanged, running
from mlplatform.registry.registry import Registry
from mlplatform.service import Kernel
from services.model_serving.settings import ServingSettings
from services.model_serving.traffic.administration import Administration
from services.model_serving.traffic.documents import Documents
from services.model_serving.traffic.exchange import Exchange
from services.model_serving.traffic.experiments import Experiments
from services.model_serving.traffic.guard import Guard
from services.model_serving.traffic.loading import LoadByName
from services.model_serving.traffic.observer import TrafficObserver
from services.model_serving.traffic.overview import Overview
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.shadow_totals import ShadowTotals
from services.model_serving.traffic.shadows import Shadows
from services.model_serving.traffic.targets import Targets
from services.model_serving.traffic.totals import ExperimentTotals
from services.model_serving.traffic.watcher import TrafficWatcher
from services.model_serving.traffic.windows import Windows
from services.model_serving.versions.choice import Versions
from services.model_serving.versions.directory import Directory
from services.model_serving.versions.store import LoadedModels


@dataclass(frozen=True, slots=True)
class Traffic:
    """The parts that the path of a request, the routes and the feedback use."""

    router: TrafficRouter
    observer: TrafficObserver
    targets: Targets
    documents: Documents
    administration: Administration
    experiments: Experiments
    overview: Overview


@asynccontextmanager
async def open_traffic(
    kernel: Kernel,
    settings: ServingSettings,
    *,
    registry: Registry,
    directory: Directory,
    versions: Versions,
    store: LoadedModels,
) -> AsyncIterator[Traffic]:
    """Route, measure and guard for the time of the block."""
    database, interval = kernel.database, settings.serving_traffic_interval
    async with AsyncExitStack() as stack:
        targets = Targets(LoadByName(directory, versions, store))
        router = TrafficRouter(targets)
        documents = Documents(database, kernel.audit, kernel.relay)
        windows, totals, comparisons = Windows(), ExperimentTotals(), ShadowTotals()
        exchange = Exchange(database, windows, totals, comparisons)
        executor = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="shadow"))
        shadows = Shadows(targets, store, executor, comparisons)
        events = StreamTail(kernel.redis, TrafficChanged.event_type)
        watcher = TrafficWatcher(documents, router, targets, events, interval)
        guard = Guard(documents, router, windows, exchange, interval)
        for loop, name in ((guard, "traffic guard"), (shadows, "shadows"), (watcher, "traffic watcher")):
            kernel.health.register(name, await stack.enter_async_context(running(loop, name)))
        yield Traffic(
            router=router,
            observer=TrafficObserver(router, windows, totals, shadows),
            targets=targets,
            documents=documents,
            administration=Administration(documents, watcher, directory, registry),
            experiments=Experiments(
                database=database,
                documents=documents,
                router=router,
                targets=targets,
                totals=totals,
                exchange=exchange,
            ),
            overview=Overview(database, router, exchange),
        )
