"""The parts of a running service that its routes use."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from mlplatform.objects import ObjectStore
from mlplatform.registry.approvals.book import ApprovalBook
from mlplatform.registry.ledger import PromotionLedger
from services.model_serving.batch.batch import Batch
from services.model_serving.catalog.catalog import Catalog
from services.model_serving.dataplane import Dataplane
from services.model_serving.drift import DriftWatch
from services.model_serving.engine.engine import Engine
from services.model_serving.explanation.explanations import Explanations
from services.model_serving.monitoring.monitoring import Monitoring
from services.model_serving.traffic.traffic import Traffic
from services.model_serving.versions.choice import Versions
from services.model_serving.versions.production import Production
from services.model_serving.versions.residents import Residents


@dataclass(frozen=True, slots=True)
class Serving:
    """Made by the lifespan; `app.state.serving` of a running service."""

    dataplane: Dataplane
    engine: Engine
    explanations: Explanations
    versions: Versions
    residents: Residents
    production: Production
    catalog: Catalog
    ledger: PromotionLedger
    approvals: ApprovalBook
    drift: DriftWatch
    objects: ObjectStore
    traffic: Traffic
    monitoring: Monitoring
    batch: Batch


def get_serving(request: Request) -> Serving:
    """Return the parts of the running service."""
    return serving_of(request.app)


def serving_of(app: FastAPI) -> Serving:
    """Return the parts of a running service."""
    serving = app.state.serving
    if not isinstance(serving, Serving):
        raise TypeError("the lifespan of the service has not set app.state.serving")
    return serving


ServingParts = Annotated[Serving, Depends(get_serving)]
