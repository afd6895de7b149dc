"""What somebody wants of a promotion, and what came of it."""

from dataclasses import dataclass

from mlplatform.registry.identity import Identity, Proof
from mlplatform.registry.ledger import Action
from mlplatform.registry.report import GateReport
from mlplatform.registry.stages import Stage


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """What somebody wants done.

    Attributes:
        model: Registered name.
        stage: Where to.
        version: Which version; None takes the newest, and for a rollback the previous one.
        actor: Who wants it.
        reason: Why.
        expect_current: The version that must have the stage now, `none` for nothing; None does not care.
        allow_schema_change: Whether callers of the version in production may break.
        dry_run: Whether to run the gates and change nothing.
        force: Whether the version that serves may be archived.
        proof: How the actor is known.
    """

    model: str
    stage: Stage
    actor: str
    version: str | None = None
    reason: str | None = None
    expect_current: str | None = None
    allow_schema_change: bool = False
    dry_run: bool = False
    force: bool = False
    proof: Proof = Proof.DECLARED

    @property
    def identity(self) -> Identity:
        """Who wants it, and how that is known."""
        return Identity(self.actor, self.proof)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        model: Registered name.
        stage: Where to.
        action: How.
        version: The version that has the stage now, or was archived.
        from_version: The version that had the stage before.
        changed: False when it was so already, or in a dry run.
        promotion_id: Row of the ledger; None when nothing changed.
        report: What the gates found; None where none ran.
        report_uri: Where that is stored.
        published: Whether the services were told at once; otherwise the event waits in the outbox.
        settled: An interrupted promotion that was finished or dropped first.
        logged: Whether the report lies beside the run of the version too.
    """

    model: str
    stage: Stage
    action: Action
    version: str
    from_version: str | None
    changed: bool
    promotion_id: int | None = None
    report: GateReport | None = None
    report_uri: str | None = None
    published: bool = False
    settled: int | None = None
    logged: bool = False
