"""Where traces go: MLflow's own trace store, or a `jaeger` on PATH."""

import shutil

from mlplatform.stack.errors import ProgramMissing, StackError
from mlplatform.stack.parts.part import Context, Part, probe_http
from mlplatform.stack.program import Program

CHOICE = "ML_STACK_TRACES"
EXPERIMENT = "traces"
RATE = "ML_TRACES_PER_SECOND"
MLFLOW_RATE = "0.2"
"""MLflow takes tens of milliseconds of a core to store a trace, which requests beside it wait for."""
JAEGER_PORT = 16686
JAEGER_OTLP_PORT = 4318


def traces_part(context: Context, mlflow_url: str) -> Part:
    """Describe the trace store; an `ML_OTLP_ENDPOINT` of the user's replaces it."""
    if "ML_OTLP_ENDPOINT" in context.settings:
        return Part(context.given("ML_OTLP_ENDPOINT", "ML_OTLP_HEADERS"))
    choice = context.settings.get(CHOICE, "mlflow")
    if choice == "mlflow":
        headers = f"x-mlflow-experiment-id={context.state.traces_experiment}"
        rate = context.settings.get(RATE, MLFLOW_RATE)
        return Part({"ML_OTLP_ENDPOINT": f"{mlflow_url}/v1/traces", "ML_OTLP_HEADERS": headers, RATE: rate})
    if choice != "jaeger":
        raise StackError(f"{CHOICE}={choice} is unknown; it may be mlflow or jaeger")
    found = shutil.which("jaeger", path=context.path)
    if found is None:
        raise ProgramMissing(program="jaeger", variable=CHOICE, value="jaeger")
    address = f"http://127.0.0.1:{JAEGER_PORT}"
    program = Program(
        name="jaeger",
        argv=(found,),
        probe=lambda: probe_http(address),
        environment={"JAEGER_LISTEN_HOST": "127.0.0.1"},
        url=address,
    )
    return Part({"ML_OTLP_ENDPOINT": f"http://127.0.0.1:{JAEGER_OTLP_PORT}/v1/traces"}, program)
