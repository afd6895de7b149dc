"""Takes note of each request that was answered; runs on the event loop, so it counts and queues and does no more."""

from services.model_serving.calls import Served
from services.model_serving.traffic.epochs import EXPERIMENT, PRIMARY, arm_label
from services.model_serving.traffic.metrics import REQUESTS
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.shadows import Shadows
from services.model_serving.traffic.tally import outcome_of
from services.model_serving.traffic.totals import ExperimentTotals
from services.model_serving.traffic.windows import Windows

ARM = arm_label("")


class TrafficObserver:
    """Counts what was routed, and copies it to shadows.

    Args:
        router: knows the plans in effect.
        windows: where recent requests are counted.
        experiments: where those of experiments are.
        shadows: where copies go.
    """

    def __init__(
        self, router: TrafficRouter, windows: Windows, experiments: ExperimentTotals, shadows: Shadows
    ) -> None:
        self._router = router
        self._windows = windows
        self._experiments = experiments
        self._shadows = shadows

    def observe(self, served: Served) -> None:
        """Take note of a request; those that named a version themselves say nothing about routing."""
        name, version, route = served.identity.name, served.identity.version, served.route
        plan = self._router.plans.get(name)
        if plan is None or (route != PRIMARY and route not in plan.epochs):
            return
        outcome = outcome_of(served.error)
        REQUESTS.labels(name, version, route, outcome.value).inc()
        self._windows.count((name, route, plan.epochs.get(route, 0), version), outcome, served.seconds)
        if plan.document.experiment is not None and route.startswith(ARM):
            key = name, plan.document.experiment.name, plan.epochs[EXPERIMENT], route.removeprefix(ARM), version
            self._experiments.count(key, outcome, served.seconds)
        if plan.document.shadow:
            self._shadows.offer(plan, served)
