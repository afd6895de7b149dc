"""All of a stack: its settings and its programs, worked out from its state and the user's choices."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlplatform.stack.account import PostgresPlace
from mlplatform.stack.errors import StackError
from mlplatform.stack.home import Home
from mlplatform.stack.parts import mlflow
from mlplatform.stack.parts.mlflow import mlflow_part
from mlplatform.stack.parts.objects import objects_part
from mlplatform.stack.parts.part import Context
from mlplatform.stack.parts.postgres import postgres_part
from mlplatform.stack.parts.redis import redis_part
from mlplatform.stack.parts.services import SERVICES, service_part, service_values
from mlplatform.stack.parts.traces import traces_part
from mlplatform.stack.program import Program
from mlplatform.stack.state import State

HIGHEST_PORT = 65_535
STORES = ("postgres", "redis", "s3", "jaeger")
PUBLIC_PORTS = {"mlflow": ("ML_MLFLOW_PORT", mlflow.PORT)} | {
    service.name: (service.port_variable, service.port) for service in SERVICES
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What should run.

    Attributes:
        values: The content of `stack.env`.
        programs: By name, in the order in which they start.
    """

    values: Mapping[str, str]
    programs: Mapping[str, Program]

    def stores(self) -> list[Program]:
        """Return the programs that depend on nothing."""
        return [program for name, program in self.programs.items() if name in STORES]

    def services(self) -> list[Program]:
        """Return the platform's own services."""
        names = {service.name for service in SERVICES}
        return [program for name, program in self.programs.items() if name in names]


def make_plan(home: Home, state: State, choices: Mapping[str, str], place: PostgresPlace, path: str) -> Plan:
    """Work out everything that should run.

    Raises:
        StackError: when the choices contradict each other or name a program that is not there.
    """
    context = Context(home=home, state=state, settings=choices, path=path)
    ports = public_ports(choices)
    postgres = postgres_part(context, folder=place.data, binaries=place.binaries, user=place.user)
    parts = [postgres, redis_part(context), objects_part(context)]
    stores = {name: value for part in parts for name, value in part.values.items()}
    tracking = mlflow_part(context, stores, port=ports.get("mlflow", mlflow.PORT))
    traces = traces_part(context, tracking.values["ML_MLFLOW_URL"])
    values = {
        "ML_ENV": "local",
        "ML_HOME": str(home.root),
        "ML_HOST": context.host,
        **stores,
        **tracking.values,
        **traces.values,
        "ML_JWT_SECRET": state.secrets["jwt"],
        "ML_API_KEY_PEPPER": state.secrets["api_key_pepper"],
        **service_values(context, ports),
        **choices,
    }
    services = [service_part(service, values) for service in SERVICES]
    programs = {part.program.name: part.program for part in (*parts, traces, tracking, *services) if part.program}
    return Plan(values, programs)


def public_ports(choices: Mapping[str, str]) -> dict[str, int]:
    """Return the port of each embedded part that users reach.

    Raises:
        StackError: when a setting is no port, or two are the same.
    """
    ports: dict[str, int] = {}
    for name, (variable, default) in PUBLIC_PORTS.items():
        if name == "mlflow" and "ML_MLFLOW_URL" in choices:
            continue
        text = choices.get(variable, str(default))
        if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
            raise StackError(f"{variable}={text} is not a port; give a number from 1 to {HIGHEST_PORT}")
        for other, port in ports.items():
            if port == int(text):
                raise StackError(f"{variable}={text} is already the port of {other}; give each its own")
        ports[name] = int(text)
    return ports
