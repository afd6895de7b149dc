"""An evaluation as a run in MLflow."""

from collections.abc import Mapping
from typing import Any

import mlflow

from mlplatform.retrieval.evaluation import Evaluation
from mlplatform.retrieval.plots import plot_rankings, plot_weights

EXPERIMENT = "search-quality"


def record(evaluation: Evaluation, collection: str, url: str, parameters: Mapping[str, Any]) -> str:
    """Log the figures, their document and the plots.

    Args:
        evaluation: What was measured.
        collection: Its name.
        url: Of MLflow.
        parameters: What else tells runs apart.

    Returns:
        Id of the run.

    Raises:
        mlflow.exceptions.MlflowException: MLflow is down or refuses.
    """
    summary = evaluation.summary()
    mlflow.set_tracking_uri(url)
    mlflow.set_experiment(EXPERIMENT)
    with mlflow.start_run(run_name=collection) as run:
        mlflow.log_params({"collection": collection, "weight": evaluation.weight, **parameters})
        mlflow.log_metrics(
            {
                f"{ranking}.{name}": value
                for ranking, figures in summary["rankings"].items()
                for name, value in figures.items()
            }
        )
        mlflow.log_metric("first_page_ndcg_at_10", summary["first_page_ndcg_at_10"])
        if summary["fused_against_better_leg"] is not None:
            mlflow.log_metric("fused_against_better_leg", summary["fused_against_better_leg"])
        mlflow.log_dict(summary, "evaluation.json")
        mlflow.log_figure(plot_rankings(evaluation), "plots/rankings.png")
        mlflow.log_figure(plot_weights(evaluation), "plots/weights.png")
    return str(run.info.run_id)
