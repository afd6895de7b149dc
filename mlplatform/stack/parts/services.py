"""The platform's own services."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlplatform.stack.interpreter import python
from mlplatform.stack.parts.part import Context, Part, probe_http
from mlplatform.stack.program import Program

# What a service neither needs nor should be able to do.
WITHHELD = frozenset({"ML_DATABASE_ADMIN_URL", "ML_DATABASE_OWNER_URL"})


@dataclass(frozen=True, slots=True)
class Service:
    """A service: its name, its module (the kernel imports no service) and its usual port."""

    name: str
    module: str
    port: int

    @property
    def port_variable(self) -> str:
        """The setting that moves its port."""
        return f"ML_{self.name.upper()}_PORT"

    @property
    def url_variable(self) -> str:
        """The setting by which others reach it."""
        return f"ML_{self.name.upper()}_URL"


SERVICES = (
    Service("serving", "services.model_serving", 9005),
    Service("embedding", "services.embedding", 9006),
    Service("search", "services.search", 9007),
    Service("batch", "services.model_serving.batch", 9008),
)


def service_values(context: Context, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the settings by which the services listen and are reached."""
    values: dict[str, str] = {}
    for service in SERVICES:
        values[service.port_variable] = str(ports[service.name])
        values[service.url_variable] = f"http://{context.reachable_host}:{ports[service.name]}"
    return values


def service_part(service: Service, values: Mapping[str, str]) -> Part:
    """Describe one service, which gets the whole of `values`."""
    address = values[service.url_variable]
    program = Program(
        name=service.name,
        argv=(python(), "-m", service.module),
        probe=lambda: probe_http(f"{address}/health/ready"),
        environment={name: value for name, value in values.items() if name not in WITHHELD}
        | {"MLFLOW_DISABLE_TELEMETRY": "true", "MALLOC_ARENA_MAX": "2"},
        stop_seconds=20,
        url=f"{address}/docs",
    )
    return Part({}, program)
