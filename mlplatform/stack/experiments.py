"""The MLflow experiment that takes the traces."""

import httpx

SECONDS = 30.0
NOT_FOUND = 404
API = "/api/2.0/mlflow/experiments"


def ensure_experiment(mlflow_url: str, name: str) -> str:
    """Return the id of an experiment, created when it is missing.

    Raises:
        httpx.HTTPError: when MLflow does not answer or refuses.
    """
    with httpx.Client(base_url=mlflow_url, timeout=SECONDS, trust_env=False) as client:
        answer = client.get(f"{API}/get-by-name", params={"experiment_name": name})
        if answer.status_code != NOT_FOUND:
            return str(answer.raise_for_status().json()["experiment"]["experiment_id"])
        answer = client.post(f"{API}/create", json={"name": name})
        return str(answer.raise_for_status().json()["experiment_id"])
