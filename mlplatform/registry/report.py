"""The report of the gates, kept in S3 beside the ledger."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from mlplatform.registry.gates.finding import Finding, Status
from mlplatform.registry.stages import Stage


@dataclass(frozen=True, slots=True)
class GateReport:
    """What the gates found.

    Attributes:
        model: Registered name.
        version: The version on its way.
        stage: Where to.
        production: The version that served meanwhile.
        requester: Who asked for the promotion.
        findings: One for each gate.
        created: When.
    """

    model: str
    version: str
    stage: Stage
    production: str | None
    requester: str
    findings: tuple[Finding, ...]
    created: datetime

    @classmethod
    def of(
        cls,
        *,
        model: str,
        version: str,
        stage: Stage,
        production: str | None,
        requester: str,
        findings: list[Finding],
    ) -> "GateReport":
        """Make a report dated now."""
        return cls(model, version, stage, production, requester, tuple(findings), datetime.now(UTC))

    def failed_gates(self) -> list[str]:
        """Name the gates that the version did not pass."""
        return [finding.gate for finding in self.findings if finding.status is Status.FAILED]

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return not self.failed_gates()

    def document(self) -> dict[str, object]:
        """Give the report as JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "stage": self.stage,
            "production": self.production,
            "requester": self.requester,
            "passed": self.passed,
            "created": self.created.isoformat(),
            "findings": [asdict(finding) for finding in self.findings],
        }


def report_key(model: str, promotion_id: int) -> str:
    """Name the object that holds the report of a promotion."""
    return f"promotions/{quote(model, safe='')}/{promotion_id}.json"


def page_key(key: str) -> str:
    """Name the object that holds the same report as a page."""
    return f"{key.removesuffix('.json')}.html"
