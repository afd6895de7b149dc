"""Experiments: what callers report of the answers, and what follows from it."""

from datetime import datetime

from mlplatform.database import Database
from services.model_serving.traffic import repository
from services.model_serving.traffic.document import Metric
from services.model_serving.traffic.documents import Documents
from services.model_serving.traffic.epochs import EXPERIMENT, arm_label
from services.model_serving.traffic.errors import ExperimentNotFound, OutcomeRefused
from services.model_serving.traffic.exchange import Exchange
from services.model_serving.traffic.report import ExperimentReport, make_report
from services.model_serving.traffic.router import TrafficRouter
from services.model_serving.traffic.targets import Targets
from services.model_serving.traffic.totals import ArmTotal, ExperimentTotals, read_arm

ARM = arm_label("")


class Experiments:
    """Takes outcomes and reports.

    Args:
        database: where all replicas add up.
        documents: what the experiments are.
        router: the plans in effect.
        targets: which version an arm is.
        totals: where outcomes are counted.
        exchange: sends them.
    """

    def __init__(
        self,
        *,
        database: Database,
        documents: Documents,
        router: TrafficRouter,
        targets: Targets,
        totals: ExperimentTotals,
        exchange: Exchange,
    ) -> None:
        self._database = database
        self._documents = documents
        self._router = router
        self._targets = targets
        self._totals = totals
        self._exchange = exchange

    def record_outcome(
        self, model: str, arm: str, value: float, *, version: str | None = None, predicted_at: datetime | None = None
    ) -> bool:
        """Count what became of one answer of an arm; returns at once, and Postgres has it about a second later.

        Report one outcome for each routing key: outcomes of one caller resemble each other, and the test takes them for
        independent.

        Args:
            model: its name.
            arm: of the running experiment; with or without the `ab:` that the route has.
            value: the outcome, as the experiment's metric has it.
            version: that answered; the arm's present one unless told.
            predicted_at: when it answered; an answer from before the experiment does not count.

        Returns:
            Whether it counts: not when no experiment with that arm runs.

        Raises:
            OutcomeRefused: the metric cannot have this value.
        """
        plan = self._router.plans.get(model)
        experiment = None if plan is None else plan.document.experiment
        if plan is None or experiment is None:
            return False
        found = next((each for each in experiment.arms if each.name == arm.removeprefix(ARM)), None)
        if found is None or (predicted_at is not None and plan.began is not None and predicted_at < plan.began):
            return False
        check_value(experiment.metric, value)
        number = version or self._targets.version(model, found.reference) or "unknown"
        self._totals.record((model, experiment.name, plan.epochs[EXPERIMENT], found.name, number), value)
        return True

    async def report(self, model: str, name: str) -> ExperimentReport:
        """Report an experiment that runs, or ran.

        Raises:
            ExperimentNotFound: the model never had it.
            DependencyUnavailable: Postgres does not answer.
        """
        await self._exchange.send()
        found = await self._documents.with_experiment(model, name)
        experiment = None if found is None or found.document is None else found.document.experiment
        if found is None or found.began is None or experiment is None:
            raise ExperimentNotFound(f"Model {model!r} has and had no experiment {name!r}.")
        epoch = found.epochs[EXPERIMENT]
        async with self._database.transaction() as connection:
            rows = await repository.experiment_totals(connection, model, name, epoch)
        totals: dict[str, ArmTotal] = {}
        versions: dict[str, set[str]] = {}
        for row in rows:
            totals.setdefault(row["arm"], ArmTotal()).add(read_arm(row))
            versions.setdefault(row["arm"], set()).add(row["version"])
        plan = self._router.plans.get(model)
        running = plan is not None and plan.epochs.get(EXPERIMENT) == epoch
        return make_report(model, experiment, totals, versions, running=running, began=found.began)


def check_value(metric: Metric, value: float) -> None:
    """Refuse a value that a metric cannot have.

    Raises:
        OutcomeRefused: it is none.
    """
    if metric.kind == "proportion" and value not in (0, 1):
        raise OutcomeRefused(f"The outcome {metric.name} is a proportion: report 0 or 1.")
    if metric.kind == "bounded" and not metric.lower <= value <= metric.upper:
        raise OutcomeRefused(f"The outcome {metric.name} lies between {metric.lower:g} and {metric.upper:g}.")
    if value - value != 0:
        raise OutcomeRefused(f"The outcome {metric.name} is a finite number.")
