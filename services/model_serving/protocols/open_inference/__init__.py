"""The Open Inference Protocol, version 2, over REST, with versions and aliases in the path and binary tensors."""

from services.model_serving.protocols.open_inference.open_routes import router
from services.model_serving.protocols.open_inference.routes import ROUTES

__all__ = ["ROUTES", "router"]
