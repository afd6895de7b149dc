"""The MLflow tracking server and registry."""

from urllib.parse import urlsplit

from mlplatform.stack.errors import StackError
from mlplatform.stack.interpreter import python
from mlplatform.stack.parts import objects
from mlplatform.stack.parts.part import Context, Part, probe_http
from mlplatform.stack.parts.postgres import MLFLOW_DATABASE, url
from mlplatform.stack.program import Program

PORT = 5000


def mlflow_part(context: Context, stores: dict[str, str], *, port: int) -> Part:
    """Describe MLflow; a `ML_MLFLOW_URL` of the user's replaces it.

    Args:
        context: What the parts are made from.
        stores: Settings of Postgres and S3.
        port: Its public port.
    """
    if "ML_MLFLOW_URL" in context.settings:
        address = context.settings["ML_MLFLOW_URL"]
        return Part({"ML_MLFLOW_URL": address, "MLFLOW_TRACKING_URI": address})
    address = f"http://{context.reachable_host}:{port}"
    values = {"ML_MLFLOW_URL": address, "MLFLOW_TRACKING_URI": address, "ML_MLFLOW_PORT": str(port)}
    program = Program(
        name="mlflow",
        argv=(python(), "-m", "mlplatform.stack.tracking_server", "--host", context.host, "--port", str(port)),
        probe=lambda: probe_http(f"{address}/health"),
        environment=server_environment(context, stores),
        stop_seconds=15,
        url=address,
    )
    return Part(values, program)


def server_environment(context: Context, stores: dict[str, str]) -> dict[str, str]:
    """Return the server's environment: where it stores, and what it must not run."""
    hosts = dict.fromkeys(["localhost", "127.0.0.1", context.reachable_host])
    return {
        "MLFLOW_BACKEND_STORE_URI": backend(context, stores),
        "MLFLOW_ARTIFACTS_DESTINATION": artifacts(context, stores),
        "MLFLOW_S3_ENDPOINT_URL": stores["ML_S3_ENDPOINT"],
        "AWS_ACCESS_KEY_ID": stores.get("ML_S3_ACCESS_KEY", ""),
        "AWS_SECRET_ACCESS_KEY": stores.get("ML_S3_SECRET_KEY", ""),
        "AWS_DEFAULT_REGION": stores["ML_S3_REGION"],
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(f"{host},{host}:*" for host in hosts),
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "DENY",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Threads otherwise keep an arena each, and the server has a pool of 40.
        "MALLOC_ARENA_MAX": "2",
    }


def backend(context: Context, stores: dict[str, str]) -> str:
    """Return where MLflow keeps runs and models: its own role and database on the platform's server.

    Raises:
        StackError: when that server is the user's own and nobody may create a database there.
    """
    password = context.state.secrets["postgres_mlflow"]
    if "ML_DATABASE_URL" not in context.settings:
        address = url(MLFLOW_DATABASE, password, context.state.ports["postgres"], MLFLOW_DATABASE)
    else:
        admin = stores.get("ML_DATABASE_ADMIN_URL")
        if admin is None:
            raise StackError(
                "ML_DATABASE_URL replaces the embedded Postgres, so MLflow has no database: "
                "set ML_DATABASE_ADMIN_URL to a role that may create one there, or ML_MLFLOW_URL to your MLflow"
            )
        server = urlsplit(admin)
        address = f"postgresql://{MLFLOW_DATABASE}:{password}@{server.hostname}:{server.port or 5432}/{MLFLOW_DATABASE}"
    # With SQLAlchemy 2.1 a bare postgresql:// picks psycopg 3, on which MLflow's stage transitions fail.
    return address.replace("postgresql://", "postgresql+psycopg2://", 1)


def artifacts(context: Context, stores: dict[str, str]) -> str:
    """Return where artifacts go: a bucket of their own here, a folder of the user's bucket elsewhere."""
    if "ML_S3_ENDPOINT" in context.settings:
        return f"s3://{stores['ML_S3_BUCKET']}/mlflow"
    return f"s3://{objects.MLFLOW_BUCKET}/artifacts"
