"""Settings of monitoring, which the serving service has too."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from mlplatform.settings import PlatformSettings
from mlplatform.settings.base import Duration


class MonitoringSettings(PlatformSettings):
    """What an operator can change about the monitoring of models."""

    prediction_log_sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of requests whose inputs and predictions are logged; the tag `ml.log.sample` of a model goes first."""
    prediction_log_rows_per_second: Annotated[float, Field(gt=0)] = 200.0
    """Most rows that one process logs per second; more are dropped and counted."""
    prediction_log_max_rows: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Rows of one request that are logged; of more, as many are picked at even distances."""
    prediction_log_queue_size: Annotated[int, Field(ge=1)] = 1000
    """Requests that wait to be logged; more are dropped and counted."""
    prediction_log_retention: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=30)
    """How long logged predictions and their labels are kept, in whole days."""
    monitoring_interval: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    """How often drift and quality are computed, by one process for all."""
    monitoring_window: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(hours=1)
    """Time that one comparison looks back."""
    monitoring_max_window: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(days=7)
    """Time that it looks back when the window holds too few rows."""
    monitoring_min_rows: Annotated[int, Field(ge=20)] = 200
    """Rows that a comparison needs."""
    monitoring_max_rows: Annotated[int, Field(ge=100)] = 5000
    """Rows that a comparison uses, the newest ones."""
    monitoring_alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """Probability that a comparison flags anything when nothing has changed."""
    monitoring_min_psi: Annotated[float, Field(ge=0)] = 0.1
    """Population stability index above chance from which on a flagged column raises the alarm."""
    monitoring_metric_columns: Annotated[int, Field(ge=0, le=200)] = 20
    """Columns of a version whose drift is exported as metrics, the most drifted ones."""
    monitoring_retention: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=90)
    """How long results of comparisons are kept."""
