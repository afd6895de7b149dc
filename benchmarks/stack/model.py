"""The 30-column model that the benchmark serves."""

import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlplatform.registry.register import register_model_version
from mlplatform.registry.registry import Registry


def register_versions(tracking_url: str, name: str, count: int) -> dict[str, float]:
    """Register versions 1 to `count` of a classifier of scikit-learn's breast cancer table.

    Returns:
        One row of its input.
    """
    mlflow.set_tracking_uri(tracking_url)
    mlflow.set_experiment("benchmark")
    registry = Registry(tracking_url)
    inputs, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    for number in range(1, count + 1):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=1 / number)).fit(inputs, labels)
        signature = infer_signature(inputs, pipeline.predict(inputs))
        with mlflow.start_run():
            logged = mlflow.sklearn.log_model(
                pipeline, name="model", signature=signature, input_example=inputs.head(1), pip_requirements=[]
            )
        register_model_version(registry, name, logged.model_uri)
    return {str(column): float(value) for column, value in inputs.iloc[0].items()}
