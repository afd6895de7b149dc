"""What promote_model.py shows: tables on a terminal, lines elsewhere, JSON when asked."""

import dataclasses
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlplatform.registry.approvals.approval import Approval
from mlplatform.registry.approvals.approver import Decided
from mlplatform.registry.deletion import Deletion
from mlplatform.registry.gates.finding import Status
from mlplatform.registry.identity import Proof
from mlplatform.registry.ledger import Action, Promotion
from mlplatform.registry.report import GateReport
from mlplatform.registry.request import Outcome
from mlplatform.registry.served import Confirmation
from mlplatform.registry.verification import Remark

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PROMOTIONS = ("id", "when (UTC)", "action", "stage", "from → to", "by", "state", "reason")
APPROVALS = ("approval", "when (UTC)", "decision", "stage", "version", "by", "until (UTC)", "reason")
DIGEST_SHOWN = 12
PROOFS = {Proof.TOKEN: "token", Proof.OS: "OS user", Proof.DECLARED: "declared"}
STYLES = {Status.PASSED: "green", Status.WARNED: "yellow", Status.SKIPPED: "dim", Status.FAILED: "bold red"}


class Screen:
    """Where the answer goes.

    Args:
        json: Whether to print one JSON document and nothing else.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._console = Console(highlight=False, soft_wrap=True)
        self.is_terminal = self._console.is_terminal and not json

    def working(self, text: str) -> AbstractContextManager[object]:
        """Show on a terminal that something takes its time."""
        return self._console.status(text) if self.is_terminal else nullcontext()

    def line(self, text: str, style: str | None = None) -> None:
        """Print a line."""
        if not self.json:
            self._console.print(escape(text), style=style)

    def document(self, document: object) -> None:
        """Print the JSON document."""
        if self.json:
            sys.stdout.write(f"{orjson.dumps(document, default=str, option=orjson.OPT_INDENT_2).decode()}\n")

    def report(self, report: GateReport) -> None:
        """Show what the gates found."""
        if not self.is_terminal:
            for finding in report.findings:
                self.line(f"{finding.gate}: {finding.status}: {finding.message}")
            return
        table = Table(title=f"{report.model} version {report.version} → {report.stage}", title_justify="left")
        table.add_column("gate")
        table.add_column("result")
        table.add_column("finding", overflow="fold")
        for finding in report.findings:
            style = STYLES[finding.status]
            table.add_row(finding.gate, f"[{style}]{finding.status}[/]", escape(finding.message))
        self._console.print(table, soft_wrap=False)

    def history(self, promotions: Sequence[Promotion], approvals: Sequence[Approval]) -> None:
        """Show the ledger of a model, and what was decided about its versions."""
        self.document(
            {
                "promotions": [plain(promotion) for promotion in promotions],
                "approvals": [plain(approval) for approval in approvals],
            }
        )
        self._table(PROMOTIONS, [_cells(promotion) for promotion in promotions])
        self._table(APPROVALS, [_decision_cells(approval) for approval in approvals])

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if not self.is_terminal:
            for row in rows:
                self.line("\t".join(row))
        elif rows:
            table = Table(*columns)
            for row in rows:
                table.add_row(*map(escape, row))
            self._console.print(table, soft_wrap=False)

    def outcome(self, outcome: Outcome, confirmation: Confirmation | None, *, dry_run: bool) -> None:
        """Show what came of a promotion, a rollback or an archiving."""
        self.document({**_fields(outcome), "served": None if confirmation is None else plain(confirmation)})
        if outcome.report is not None:
            self.report(outcome.report)
        if outcome.settled is not None:
            self.line(f"Promotion {outcome.settled} had been interrupted and was settled first; see --history.")
        came = f"{outcome.from_version or 'none'} → {outcome.version}"
        name = f"{outcome.model} version {outcome.version}"
        if outcome.changed:
            what = "archived" if outcome.action is Action.ARCHIVE else f"in {outcome.stage} ({came})"
            self.line(f"{name} is {what}. Promotion {outcome.promotion_id}.", "bold")
            if not outcome.published:
                self.line(
                    "Redis does not answer: the services are told as soon as it does. They look themselves as well."
                )
        elif dry_run:
            self.line(f"Dry run: {outcome.action} {came} would go ahead. Nothing was changed.")
        else:
            self.line(f"{name} is in {outcome.stage} already.")
        if confirmation is not None and confirmation.seconds is not None:
            after = f", {confirmation.seconds * 1000:.0f} ms after the alias was moved" if outcome.changed else ""
            many = len(confirmation.asked)
            seen = (
                f"All {many} replicas of serving answer"
                if many > 1
                else "The one replica of serving that was asked answers"
            )
            self.line(f"{seen} with it{after}.")
        elif confirmation is not None:
            self.line(f"Serving does not answer with it: {confirmation.reason}.", "bold red")

    def decided(self, decided: Decided, *, dry_run: bool) -> None:
        """Show a decision on a version."""
        self.document(plain(decided))
        request, approval = decided.request, decided.approval
        name = f"{request.model} version {request.version} for {request.stage}"
        digest = f"artifacts {decided.artifact_digest[:DIGEST_SHOWN]}…"
        if approval is None:
            self.line(f"Dry run: {request.identity.name} would have {request.decision} {name}, {digest}.")
        else:
            already = "" if decided.changed or dry_run else " already"
            until = "" if approval.expires_at is None else f" until {approval.expires_at:%Y-%m-%d %H:%M} UTC"
            self.line(f"{approval.approver} has {approval.decision} {name}{already}, {digest}{until}.", "bold")

    def deleted(self, deletion: Deletion) -> None:
        """Show a deletion."""
        self.document(plain(deletion))
        name = f"{deletion.model} version {deletion.version}"
        if not deletion.changed:
            self.line(f"Dry run: {name} would be deleted: nothing holds it. Nothing was changed.")
            return
        self.line(f"{name} is deleted. Its artifacts and its run are still there.", "bold")

    def remarks(self, remarks: Sequence[Remark]) -> None:
        """Show what a verification found."""
        self.document([plain(remark) for remark in remarks])
        for remark in remarks:
            self.line(f"{remark.model}: {remark.problem}: {remark.message}")


def plain(value: object) -> object:
    """Turn a dataclass into what JSON knows."""
    if isinstance(value, GateReport):
        return value.document()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def _fields(value: "DataclassInstance") -> dict[str, object]:
    return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _cells(promotion: Promotion) -> list[str]:
    return [
        str(promotion.id),
        f"{promotion.started_at:%Y-%m-%d %H:%M:%S}",
        promotion.action,
        promotion.stage,
        f"{promotion.from_version or 'none'} → {promotion.to_version}",
        f"{promotion.actor} ({PROOFS[promotion.identity]})",
        promotion.state,
        promotion.failure or promotion.reason or "",
    ]


def _decision_cells(approval: Approval) -> list[str]:
    return [
        str(approval.id),
        f"{approval.decided_at:%Y-%m-%d %H:%M:%S}",
        approval.decision,
        approval.stage,
        approval.version,
        f"{approval.approver} ({PROOFS[approval.identity]})",
        "" if approval.expires_at is None else f"{approval.expires_at:%Y-%m-%d %H:%M}",
        approval.reason or "",
    ]
