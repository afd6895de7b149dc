"""What promote_model.py shows: tables on a terminal, lines elsewhere, JSON when asked."""

import dataclasses
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from enum import Enum

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mlplatform.registry.gates.finding import Status
from mlplatform.registry.ledger import Promotion
from mlplatform.registry.report import GateReport
from mlplatform.registry.verification import Remark

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

    def history(self, promotions: Sequence[Promotion]) -> None:
        """Show the ledger of a model."""
        self.document([plain(promotion) for promotion in promotions])
        if not self.is_terminal:
            for promotion in promotions:
                self.line("\t".join(_cells(promotion)))
            return
        table = Table("id", "when (UTC)", "action", "stage", "from → to", "by", "state", "reason")
        for promotion in promotions:
            table.add_row(*map(escape, _cells(promotion)))
        self._console.print(table, soft_wrap=False)

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
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def _cells(promotion: Promotion) -> list[str]:
    return [
        str(promotion.id),
        f"{promotion.started_at:%Y-%m-%d %H:%M:%S}",
        promotion.action,
        promotion.stage,
        f"{promotion.from_version or 'none'} → {promotion.to_version}",
        promotion.actor,
        promotion.state,
        promotion.failure or promotion.reason or "",
    ]
