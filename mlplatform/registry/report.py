"""The report of the gates, kept in S3 beside the ledger."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import orjson

from mlplatform.objects import ObjectStore
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
        findings: One for each gate.
        created: When.
    """

    model: str
    version: str
    stage: Stage
    production: str | None
    findings: tuple[Finding, ...]
    created: datetime

    @classmethod
    def of(
        cls, *, model: str, version: str, stage: Stage, production: str | None, findings: list[Finding]
    ) -> "GateReport":
        """Make a report dated now."""
        return cls(model, version, stage, production, tuple(findings), datetime.now(UTC))

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return all(finding.status is not Status.FAILED for finding in self.findings)

    def document(self) -> dict[str, object]:
        """Give the report as JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "stage": self.stage,
            "production": self.production,
            "passed": self.passed,
            "created": self.created.isoformat(),
            "findings": [asdict(finding) for finding in self.findings],
        }


def report_key(model: str, promotion_id: int) -> str:
    """Name the object that holds the report of a promotion."""
    return f"promotions/{quote(model, safe='')}/{promotion_id}.json"


async def store_report(objects: ObjectStore, bucket: str, promotion_id: int, report: GateReport) -> str:
    """Write a report to S3.

    Returns:
        Its URI.

    Raises:
        DependencyUnavailable: S3 is down.
    """
    key = report_key(report.model, promotion_id)
    await objects.ensure_bucket()
    await objects.put(key, orjson.dumps(report.document(), option=orjson.OPT_INDENT_2), "application/json")
    return f"s3://{bucket}/{key}"
