"""MLflow's scoring protocol, as `mlflow models serve` speaks it."""

from services.model_serving.protocols.mlflow_scoring.open_routes import router
from services.model_serving.protocols.mlflow_scoring.routes import ROUTES

__all__ = ["ROUTES", "router"]
