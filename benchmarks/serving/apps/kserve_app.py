"""The estimator under KServe's Python server, Open Inference Protocol V2."""

import uvicorn
from estimator import PORT, WORKERS, load
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

NAME = "model"
CONFIG = uvicorn.Config


def on_loopback(*arguments: object, **options: object) -> uvicorn.Config:
    """Listen on loopback only: the server has no setting for its address; and write no line per request."""
    return CONFIG(*arguments, **{**options, "host": "127.0.0.1", "access_log": False})


class Estimator(Model):
    """As the documentation of KServe shows a custom model."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._estimator = load()
        self.ready = True

    def predict(self, payload: InferRequest, *_: object, **__: object) -> InferResponse:
        """Predict a matrix, and answer in the form that was asked for."""
        predictions = self._estimator.predict(payload.inputs[0].as_numpy())
        output = InferOutput("predictions", list(predictions.shape), "INT64")
        output.set_data_from_numpy(predictions, binary_data=payload.use_binary_outputs)
        return InferResponse(payload.id or "none", NAME, [output], use_binary_outputs=payload.use_binary_outputs)


if __name__ == "__main__":
    uvicorn.Config = on_loopback
    ModelServer(http_port=PORT, workers=WORKERS, enable_grpc=False, enable_latency_logging=False).start([Estimator()])
