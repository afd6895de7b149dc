"""How the models of each library are called."""

from services.model_serving.flavors.choice import choose_predict
from services.model_serving.flavors.predictor import Chosen, Predict

__all__ = ["Chosen", "Predict", "choose_predict"]
