"""What promote_model.py does with its arguments."""

import argparse
import asyncio
import logging
import sys
import time

import psycopg
from opentelemetry import trace

from mlplatform.audit import AuditLog
from mlplatform.auth.errors import CredentialRefused
from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.objects import ObjectStore
from mlplatform.registry.approvals.approval import Decision
from mlplatform.registry.approvals.approver import Approver, DecisionRequest
from mlplatform.registry.approvals.book import ApprovalBook
from mlplatform.registry.arguments import DECISIONS, USAGE_ERROR
from mlplatform.registry.console import Screen, plain
from mlplatform.registry.deletion import Deleter
from mlplatform.registry.errors import ApprovalMissing, GateBlocked, PromotionRefused, RegistryUnavailable
from mlplatform.registry.gates.trial import SERVING
from mlplatform.registry.identity import Identity, identify
from mlplatform.registry.ledger import PromotionLedger
from mlplatform.registry.next_command import predict_command
from mlplatform.registry.promotion import Promoter
from mlplatform.registry.publication import open_publisher, publish_outbox
from mlplatform.registry.registry import Registry
from mlplatform.registry.report import GateReport
from mlplatform.registry.reporting.files import DOCUMENT, PAGE, write_files
from mlplatform.registry.request import Outcome, PromotionRequest
from mlplatform.registry.served import Confirmation, wait_served
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import Stage
from mlplatform.registry.steps import Observer, Step, ignore
from mlplatform.registry.transition import Transition
from mlplatform.registry.verification import SETTLED, Verification
from mlplatform.settings import SettingsError
from mlplatform.telemetry import configure_logs, start_tracing

DONE = 0
GATE_FAILED = 2
PRECONDITION_FAILED = 3
APPROVAL_MISSING = 4
REGISTRY_UNREACHABLE = 5
NOT_SERVED = 6
SERVICE = "promote-model"
AFTERWARDS = "A promotion that had begun is finished by `promote_model.py verify --repair` once it answers again."


def run(arguments: argparse.Namespace, observe: Observer = ignore) -> int:
    """Carry a command line out.

    Args:
        arguments: As `mlplatform.registry.arguments.parse` gives them.
        observe: Told of each step of a promotion when it is done.

    Returns:
        The exit code.
    """
    screen = Screen(json=arguments.json)
    try:
        settings = PromotionSettings()
    except SettingsError as error:
        return _failed(screen, USAGE_ERROR, "settings", str(error))
    configure_logs(settings, SERVICE)
    for name in (None, "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the screen says the rest
    start_tracing(settings, SERVICE)
    try:
        with trace.get_tracer(__name__).start_as_current_span(f"promote_model {arguments.command}"):
            return asyncio.run(Command(arguments, settings, screen, observe).run())
    except (GateBlocked, ApprovalMissing) as error:
        screen.report(error.report)
        write_report(arguments, error.report)
        status = GATE_FAILED if isinstance(error, GateBlocked) else APPROVAL_MISSING
        return _failed(screen, status, error.code, error.detail, gates=plain(error.report))
    except PlatformError as error:
        return _refused(screen, error)
    except psycopg.Error as error:
        return _failed(screen, PRECONDITION_FAILED, "postgres", f"Postgres: {error} {AFTERWARDS}")


class Command:
    """One run of promote_model.py.

    Args:
        arguments: What was asked for.
        settings: Where everything is.
        screen: Where the answer goes.
        observe: Told of each step of a promotion when it is done.
    """

    def __init__(
        self, arguments: argparse.Namespace, settings: PromotionSettings, screen: Screen, observe: Observer
    ) -> None:
        self._arguments = arguments
        self._settings = settings
        self._screen = screen
        self._observe = observe
        self._moved: float | None = None

    async def run(self) -> int:
        """Do it, and return the exit code."""
        database = Database(self._settings.database_url.get_secret_value(), max_size=1, application_name=SERVICE)
        if self._arguments.command == "history":
            return await self._history(database)
        identity = await identify(self._settings, self._arguments.actor)
        registry = Registry(self._settings.mlflow_url)
        registry.ping()
        audit = AuditLog(database)
        if self._arguments.command == "verify":
            return await self._verify(registry, audit, identity)
        if self._arguments.command in DECISIONS:
            return await self._decide(Approver(self._settings, registry, audit), registry, identity)
        return await self._move(registry, audit, identity)

    async def _history(self, database: Database) -> int:
        model, limit = self._arguments.model, self._arguments.limit
        await database.open()
        try:
            promotions, _ = await PromotionLedger(database).list(model, limit=limit)
            approvals, _ = await ApprovalBook(database).list(model, limit=limit)
        finally:
            await database.close()
        self._screen.history(promotions, approvals)
        if not promotions:
            self._screen.line(f"{model} was never promoted.")
        return DONE

    async def _verify(self, registry: Registry, audit: AuditLog, identity: Identity) -> int:
        verification = Verification(self._settings, registry, Transition(registry, audit, ignore))
        repair = self._arguments.repair
        remarks = await verification.run(repair=repair, actor=identity, model=self._arguments.model)
        if repair:
            await publish_outbox(self._settings)  # what a crash left there too
        self._screen.remarks(remarks)
        if all(remark.problem in SETTLED for remark in remarks):
            self._screen.line("Every alias stands where the ledger has it.")
            return DONE
        return PRECONDITION_FAILED

    async def _decide(self, approver: Approver, registry: Registry, identity: Identity) -> int:
        decided = await approver.decide(
            DecisionRequest(
                model=self._arguments.model,
                version=str(self._version(registry)),
                stage=self._arguments.stage or Stage.PRODUCTION,
                decision=Decision(_PARTICIPLES[self._arguments.command]),
                identity=identity,
                reason=self._arguments.reason,
                dry_run=self._dry,
            )
        )
        self._screen.decided(decided, dry_run=self._dry)
        return DONE

    async def _move(self, registry: Registry, audit: AuditLog, identity: Identity) -> int:
        request = self._request(registry, identity)
        async with open_publisher(self._settings) as publish:
            objects = ObjectStore(self._settings)
            promoter = Promoter(self._settings, registry, objects, audit, publish=publish, observe=self._note)
            with self._screen.working(f"{self._arguments.command} {request.model}"):
                if self._arguments.command == "delete":
                    deletion = await Deleter(self._settings, registry, promoter, audit).delete(request)
                    self._screen.deleted(deletion)
                    return DONE
                outcome = await _METHODS[self._arguments.command](promoter, request)
            confirmation = await self._confirm(outcome)
        if outcome.report is not None:
            write_report(self._arguments, outcome.report)
        self._screen.outcome(outcome, confirmation, dry_run=self._dry)
        if outcome.stage is Stage.PRODUCTION and not self._screen.json:
            self._show_next(registry, outcome)
        return NOT_SERVED if confirmation is not None and confirmation.seconds is None else DONE

    async def _confirm(self, outcome: Outcome) -> Confirmation | None:
        if not self._arguments.wait_served or self._dry:
            return None
        with self._screen.working("waiting for serving"):
            return await wait_served(self._settings, outcome.model, outcome.version, self._moved)

    def _note(self, step: Step) -> None:
        if step is Step.ALIAS:
            self._moved = time.monotonic()
        self._observe(step)

    @property
    def _dry(self) -> bool:
        return bool(self._arguments.mode == "dry-run")

    def _version(self, registry: Registry) -> str | None:
        model, run_id = self._arguments.model, self._arguments.run_id
        if run_id is None:
            return str(self._arguments.version) if self._arguments.version else None
        versions, _ = registry.list_versions(model, limit=1, run_id=run_id)
        if not versions:
            raise PromotionRefused(f"{model} has no version of run {run_id}. Register it first.")
        return versions[0].version

    def _request(self, registry: Registry, identity: Identity) -> PromotionRequest:
        archives = self._arguments.command == "delete"
        return PromotionRequest(
            model=self._arguments.model,
            stage=Stage.ARCHIVED if archives else self._arguments.stage or Stage.PRODUCTION,
            actor=identity.name,
            proof=identity.proof,
            version=self._version(registry),
            reason=self._arguments.reason,
            expect_current=self._arguments.expect_current,
            allow_schema_change=self._arguments.allow_schema_change,
            dry_run=self._dry,
            force=self._arguments.force,
        )

    def _show_next(self, registry: Registry, outcome: Outcome) -> None:
        if registry.get_model(outcome.model).served_by == SERVING:
            version = registry.get_version(outcome.model, outcome.version)
            self._screen.line(f"Try it:   {predict_command(self._settings, version)}")
        if outcome.changed:
            self._screen.line(f"Undo it:  python {sys.argv[0]} --model {outcome.model} --rollback")


_PARTICIPLES = {"approve": "approved", "reject": "rejected", "revoke": "revoked"}
_METHODS = {"promote": Promoter.promote, "rollback": Promoter.rollback, "archive": Promoter.archive}


def write_report(arguments: argparse.Namespace, report: GateReport) -> None:
    """Write the report to the file that the caller named, if there is one."""
    if arguments.report is not None:
        name = PAGE if arguments.report.suffix == ".html" else DOCUMENT
        arguments.report.write_bytes(write_files(report)[name])


def _refused(screen: Screen, error: PlatformError) -> int:
    if isinstance(error, RegistryUnavailable):
        return _failed(screen, REGISTRY_UNREACHABLE, error.code, f"{error.detail} {AFTERWARDS}")
    proves_nobody = "ML_TOKEN proves nobody: " if isinstance(error, CredentialRefused) else ""
    return _failed(screen, PRECONDITION_FAILED, error.code, f"{proves_nobody}{error.detail}")


def _failed(screen: Screen, status: int, code: str, detail: str, **more: object) -> int:
    screen.document({"error": code, "detail": detail, **more})
    if not screen.json:
        sys.stderr.write(f"promote_model.py: {detail}\n")
    return status
