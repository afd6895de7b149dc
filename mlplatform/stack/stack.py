"""Start, stop and look at the whole stack."""

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from mlplatform.database import migrate
from mlplatform.stack import account, repository
from mlplatform.stack.choices import user_choices
from mlplatform.stack.errors import PortTaken, StackError
from mlplatform.stack.experiments import ensure_experiment
from mlplatform.stack.files import read_environment, write_environment
from mlplatform.stack.health import Report, wait_healthy
from mlplatform.stack.home import Home
from mlplatform.stack.lock import exclusive
from mlplatform.stack.orphans import end_orphans, find_orphans
from mlplatform.stack.parts import objects, traces
from mlplatform.stack.parts.services import SERVICES
from mlplatform.stack.plan import PUBLIC_PORTS, STORES, Plan, make_plan, public_ports
from mlplatform.stack.ports import choose_port, is_free, port_owner
from mlplatform.stack.state import State
from mlplatform.stack.status import ProcessStatus, listening_ports, read_status
from mlplatform.stack.supervisor import NAME, Supervisor, choose_socket, forget_socket

UP_SECONDS = 150.0
LOCK_SECONDS = 240.0
BACKING_PORTS = ("postgres", "redis", "s3")
# Of the caller's environment, what may reach every program; settings go to those that need them.
WITHHELD_PREFIXES = ("ML_", "MLFLOW_", "AWS_", "RCLONE_", "MINIO_", "PG", "OTEL_")


def silent(part: str, message: str) -> None:
    """Report nothing."""


class Stack:
    """The embedded stack of one home.

    Attributes:
        home: Its folder.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        """Describe a stack; nothing is read or started yet.

        Args:
            home: Folder of the stack; made by `up`.
            environment: The user's environment: `ML_` variables choose ports, and URLs that replace embedded parts.
        """
        self.home = Home(home.absolute())
        self._environment = dict(environment)

    def up(self, report: Report = silent, *, seconds: float = UP_SECONDS) -> dict[str, str]:
        """Start whatever does not run, wait until all of it is healthy, and return the settings to reach it.

        Args:
            report: Told of each part and what happens to it.
            seconds: How long all of it may take.

        Raises:
            PortTaken: when a public port is held by somebody else.
            StackUnhealthy: when a part does not become healthy in time.
            StackError: when the choices contradict each other, or a part cannot be prepared.
        """
        deadline = time.monotonic() + seconds
        with self._lock(report):
            self.home.create()
            state = State.load(self.home)
            state.settings = user_choices(self._environment, state, self.env())
            state.socket = str(choose_socket(self.home, state.socket))
            supervisor = Supervisor(self.home, Path(state.socket))
            if not supervisor.is_running():
                end_orphans(self.home, lambda message: report(NAME, message))
            plan = self._prepare(state, supervisor)
            self._start_stores(plan, state, supervisor, report, deadline)
            self._start_rest(plan, state, supervisor, report, deadline)
        return self.env()

    def down(self, report: Report = silent) -> None:
        """Stop everything, the services first and the stores last; the data stays."""
        if not self.home.state_file.is_file():
            return
        with self._lock(report):
            self._stop(report)

    def reset(self, report: Report = silent) -> None:
        """Stop everything and delete all of its data and settings.

        Raises:
            StackError: when the folder was not made by `up`; nothing is deleted then.
        """
        if not self.home.root.is_dir():
            return
        if not self.home.is_own:
            raise StackError(
                f"{self.home.root} was not made by mlp up, so it is not deleted; look and delete it yourself"
            )
        with self._lock(report):
            self._stop(report)
            state = State.load(self.home)
            forget_socket(self.home, state.socket)
            account.remove_elsewhere(self.home, state.postgres)
            shutil.rmtree(self.home.root)

    def choices(self) -> dict[str, str]:
        """Return the user's own settings, of now and of earlier starts."""
        return user_choices(self._environment, State.load(self.home), self.env())

    def env(self) -> dict[str, str]:
        """Return the settings to reach the stack; empty when it was never started."""
        return read_environment(self.home.env_file)

    def processes(self) -> list[ProcessStatus]:
        """Return how every part fares; empty when the stack was never started."""
        if not self.home.state_file.is_file():
            return []
        state = State.load(self.home)
        return read_status(self._plan(state), Supervisor(self.home, Path(state.socket)))

    def _lock(self, report: Report) -> AbstractContextManager[None]:
        def waiting() -> None:
            report(NAME, "waiting for another mlp command")

        return exclusive(self.home.lock_file, seconds=LOCK_SECONDS, waiting=waiting)

    def _plan(self, state: State) -> Plan:
        place = account.recorded_place(state.postgres)
        return make_plan(self.home, state, state.settings, place, self._environment.get("PATH", ""))

    def _prepare(self, state: State, supervisor: Supervisor) -> Plan:
        """Settle ports and folders, write all configuration, and have the supervisor running with it."""
        own = listening_ports(supervisor.processes())
        for name, port in public_ports(state.settings).items():
            if port not in own and not is_free(port):
                raise PortTaken(part=name, port=port, owner=port_owner(port), variable=PUBLIC_PORTS[name][0])
        place = account.recorded_place(state.postgres)
        if "ML_DATABASE_URL" not in state.settings:
            place = account.find_place(self.home, state.postgres)
            state.postgres = str(place.data)
        for name in BACKING_PORTS:
            known = state.ports.get(name)
            if known is None or not (known in own or is_free(known)):
                state.ports[name] = choose_port(state.ports.values())
        plan = make_plan(self.home, state, state.settings, place, self._environment.get("PATH", ""))
        for name in ("redis", "s3", "minio"):
            (self.home.data / name).mkdir(mode=0o700, exist_ok=True)
        # Before anything starts: a password that is used but not written down would lock the data up.
        state.save(self.home)
        write_environment(self.home.env_file, plan.values)
        supervisor.write(plan.programs.values())
        if supervisor.is_running():
            supervisor.apply()
        else:
            supervisor.start(self._inherited())
        if "postgres" in plan.programs and not place.is_ready:
            self._begin(plan, supervisor, "redis", "s3")
            account.initialise(place, state.secrets["postgres_admin"])
        return plan

    def _inherited(self) -> dict[str, str]:
        names = os.environ | self._environment
        return {name: value for name, value in names.items() if not name.startswith(WITHHELD_PREFIXES)}

    @staticmethod
    def _begin(plan: Plan, supervisor: Supervisor, *names: str) -> None:
        for name in names:
            if name in plan.programs:
                supervisor.start_program(name)

    def _start_stores(self, plan: Plan, state: State, supervisor: Supervisor, report: Report, deadline: float) -> None:
        stores = plan.stores()
        self._begin(plan, supervisor, *(program.name for program in stores))
        wait_healthy(stores, supervisor, self.home, report, deadline=deadline)
        values = dict(plan.values)
        admin = values.get("ML_DATABASE_ADMIN_URL")
        if admin:
            passwords = {repository.MLFLOW: state.secrets["postgres_mlflow"]}
            if "postgres" in plan.programs:
                passwords[repository.OWNER] = state.secrets["postgres_owner"]
                passwords[repository.APPLICATION] = state.secrets["postgres_app"]
            repository.ensure_databases(admin, passwords, values["ML_DATABASE_URL"].rpartition("/")[2])
        embedded = "s3" in plan.programs
        objects.ensure_buckets(values, values["ML_S3_BUCKET"], *([objects.MLFLOW_BUCKET] if embedded else []))

    def _start_rest(self, plan: Plan, state: State, supervisor: Supervisor, report: Report, deadline: float) -> None:
        # MLflow takes longest, so it starts while the migrations run.
        self._begin(plan, supervisor, "mlflow")
        owner = plan.values.get("ML_DATABASE_OWNER_URL")
        if owner:
            migrate.upgrade(owner)
            report("database", "migrated")
        else:
            report("database", "not migrated: set ML_DATABASE_OWNER_URL, or run mlp db upgrade as its owner")
        if "mlflow" not in plan.programs:
            plan = self._settle_traces(plan, state, supervisor)
        rest = [plan.programs[name] for name in plan.programs if plan.programs[name] not in plan.stores()]
        self._begin(plan, supervisor, *(program.name for program in rest))
        wait_healthy(rest, supervisor, self.home, report, deadline=deadline)
        settled = self._settle_traces(plan, state, supervisor)
        if settled is not plan:
            self._begin(settled, supervisor, *(program.name for program in rest))
            wait_healthy(rest, supervisor, self.home, report, deadline=deadline)

    def _settle_traces(self, plan: Plan, state: State, supervisor: Supervisor) -> Plan:
        """Return the plan with the id that the traces' experiment really has; it is as foreseen but for odd cases."""
        if not plan.values["ML_OTLP_ENDPOINT"].startswith(plan.values["ML_MLFLOW_URL"]):
            return plan
        found = ensure_experiment(plan.values["ML_MLFLOW_URL"], traces.EXPERIMENT)
        if found == state.traces_experiment:
            return plan
        state.traces_experiment = found
        return self._prepare(state, supervisor)

    def _stop(self, report: Report) -> None:
        state = State.load(self.home)
        supervisor = Supervisor(self.home, Path(state.socket))
        if supervisor.is_running():
            services = [service.name for service in SERVICES]
            for names in (services, ["mlflow"], STORES):
                report(", ".join(names), "stopping")
                supervisor.stop_programs(names)
            supervisor.shutdown()
        end_orphans(self.home, lambda message: report(NAME, message))
        if find_orphans(self.home):
            raise StackError("some processes of the stack could not be ended; see mlp status")
