"""MLflow's server in one process.

`mlflow server` is a parent that keeps as much memory as its one worker, and a killed parent leaves the worker holding
the port. This runs the same application in the process that the supervisor knows.
"""

import argparse
import os

import uvicorn
from mlflow import MlflowClient
from mlflow.server import constants
from mlflow.server.handlers import initialize_backend_stores

from mlplatform.stack.parts.traces import EXPERIMENT

ARTIFACT_ROOT = "mlflow-artifacts:/"  # through this server: clients need no key of the S3 store
GRACE_SECONDS = 10


def main() -> None:
    """Prepare the database and serve until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    backend = os.environ["MLFLOW_BACKEND_STORE_URI"]
    # What `mlflow server` sets for its workers.
    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = backend
    os.environ[constants.REGISTRY_STORE_URI_ENV_VAR] = backend
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = ARTIFACT_ROOT
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = os.environ["MLFLOW_ARTIFACTS_DESTINATION"]
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    initialize_backend_stores(backend, backend, ARTIFACT_ROOT)
    ensure_experiment(MlflowClient(backend, backend))
    uvicorn.run(
        "mlflow.server.fastapi_app:app",
        host=arguments.host,
        port=arguments.port,
        loop="uvloop",
        timeout_graceful_shutdown=GRACE_SECONDS,
        access_log=False,
    )


def ensure_experiment(client: MlflowClient) -> None:
    """Create the experiment of the traces before anybody else can create one, so that its id is known beforehand."""
    if client.get_experiment_by_name(EXPERIMENT) is None:
        client.create_experiment(EXPERIMENT, artifact_location=f"{ARTIFACT_ROOT}{EXPERIMENT}")


if __name__ == "__main__":
    main()
