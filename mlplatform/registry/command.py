"""What promote_model.py does with its arguments."""

import argparse
import asyncio
import logging
import sys
from functools import partial

import psycopg
from opentelemetry import trace

from mlplatform.audit import AuditLog
from mlplatform.database import Database
from mlplatform.errors import PlatformError
from mlplatform.objects import ObjectStore
from mlplatform.registry.arguments import USAGE_ERROR
from mlplatform.registry.console import Screen, plain
from mlplatform.registry.errors import GateBlocked, PromotionRefused, RegistryUnavailable
from mlplatform.registry.gates.servability import SERVING
from mlplatform.registry.ledger import Action, PromotionLedger
from mlplatform.registry.next_command import predict_command
from mlplatform.registry.promotion import Promoter
from mlplatform.registry.publication import publish_outbox
from mlplatform.registry.registry import Registry
from mlplatform.registry.request import Outcome, PromotionRequest
from mlplatform.registry.settings import PromotionSettings
from mlplatform.registry.stages import Stage
from mlplatform.registry.steps import ignore
from mlplatform.registry.transition import Transition
from mlplatform.registry.verification import SETTLED, Verification
from mlplatform.settings import SettingsError
from mlplatform.telemetry import configure_logs, start_tracing

DONE = 0
GATE_FAILED = 2
PRECONDITION_FAILED = 3
REGISTRY_UNREACHABLE = 5
SERVICE = "promote-model"
AFTERWARDS = "A promotion that had begun is finished by `promote_model.py verify --repair` once it answers again."


def run(arguments: argparse.Namespace) -> int:
    """Carry a command line out.

    Args:
        arguments: As `mlplatform.registry.arguments.parse` gives them.

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
            return asyncio.run(_run(arguments, settings, screen))
    except GateBlocked as error:
        screen.report(error.report)
        return _failed(screen, GATE_FAILED, error.code, error.detail, gates=plain(error.report))
    except RegistryUnavailable as error:
        return _failed(screen, REGISTRY_UNREACHABLE, error.code, f"{error.detail} {AFTERWARDS}")
    except PlatformError as error:
        return _failed(screen, PRECONDITION_FAILED, error.code, error.detail)
    except psycopg.Error as error:
        return _failed(screen, PRECONDITION_FAILED, "postgres", f"Postgres: {error} {AFTERWARDS}")


async def _run(arguments: argparse.Namespace, settings: PromotionSettings, screen: Screen) -> int:
    database = Database(settings.database_url.get_secret_value(), max_size=1, application_name=SERVICE)
    if arguments.command == "history":
        return await _history(arguments, database, screen)
    registry = Registry(settings.mlflow_url)
    registry.ping()
    audit = AuditLog(database)
    if arguments.command == "verify":
        return await _verify(arguments, Verification(settings, registry, Transition(registry, audit, ignore)), screen)
    promoter = Promoter(settings, registry, ObjectStore(settings), audit, publish=partial(publish_outbox, settings))
    with screen.working(f"{arguments.command} {arguments.model}"):
        outcome = await _promote(arguments, promoter, _request(arguments, registry))
    _show(screen, arguments, outcome)
    if outcome.stage is Stage.PRODUCTION and not screen.json:
        _show_next(screen, settings, registry, outcome)
    return DONE


async def _promote(arguments: argparse.Namespace, promoter: Promoter, request: PromotionRequest) -> Outcome:
    if arguments.command == "rollback":
        return await promoter.rollback(request)
    if arguments.command == "archive":
        return await promoter.archive(request)
    return await promoter.promote(request)


async def _history(arguments: argparse.Namespace, database: Database, screen: Screen) -> int:
    await database.open()
    try:
        promotions, _ = await PromotionLedger(database).list(arguments.model, limit=arguments.limit)
    finally:
        await database.close()
    screen.history(promotions)
    if not promotions:
        screen.line(f"{arguments.model} was never promoted.")
    return DONE


async def _verify(arguments: argparse.Namespace, verification: Verification, screen: Screen) -> int:
    remarks = await verification.run(repair=arguments.repair, actor=arguments.actor, model=arguments.model)
    screen.remarks(remarks)
    if all(remark.problem in SETTLED for remark in remarks):
        screen.line("Every alias stands where the ledger has it.")
        return DONE
    return PRECONDITION_FAILED


def _request(arguments: argparse.Namespace, registry: Registry) -> PromotionRequest:
    version = arguments.version
    if arguments.run_id is not None:
        versions, _ = registry.list_versions(arguments.model, limit=1, run_id=arguments.run_id)
        if not versions:
            raise PromotionRefused(f"{arguments.model} has no version of run {arguments.run_id}. Register it first.")
        version = versions[0].version
    return PromotionRequest(
        model=arguments.model,
        stage=arguments.stage or Stage.PRODUCTION,
        actor=arguments.actor,
        version=version,
        reason=arguments.reason,
        expect_current=arguments.expect_current,
        allow_schema_change=arguments.allow_schema_change,
        dry_run=arguments.mode == "dry-run",
        force=arguments.force,
    )


def _show(screen: Screen, arguments: argparse.Namespace, outcome: Outcome) -> None:
    screen.document(plain(outcome))
    if outcome.report is not None:
        screen.report(outcome.report)
    if outcome.settled is not None:
        screen.line(f"Promotion {outcome.settled} had been interrupted and was settled first; see --history.")
    came = f"{outcome.from_version or 'none'} → {outcome.version}"
    if outcome.changed:
        what = "archived" if outcome.action is Action.ARCHIVE else f"in {outcome.stage} ({came})"
        screen.line(f"{outcome.model} version {outcome.version} is {what}. Promotion {outcome.promotion_id}.", "bold")
        if not outcome.published:
            screen.line(
                "Redis does not answer: the services are told as soon as it does. They look themselves as well."
            )
    elif arguments.mode == "dry-run":
        screen.line(f"Dry run: {outcome.action} {came} would go ahead. Nothing was changed.")
    else:
        screen.line(f"{outcome.model} version {outcome.version} is in {outcome.stage} already.")


def _show_next(screen: Screen, settings: PromotionSettings, registry: Registry, outcome: Outcome) -> None:
    if registry.get_model(outcome.model).served_by == SERVING:
        version = registry.get_version(outcome.model, outcome.version)
        screen.line(f"Try it:   {predict_command(settings, version)}")
    if outcome.changed:
        screen.line(f"Undo it:  python {sys.argv[0]} --model {outcome.model} --rollback")


def _failed(screen: Screen, status: int, code: str, detail: str, **more: object) -> int:
    screen.document({"error": code, "detail": detail, **more})
    if not screen.json:
        sys.stderr.write(f"promote_model.py: {detail}\n")
    return status
