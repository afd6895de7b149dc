"""Which version answers a request. Everything is in memory; what cannot answer gets no traffic."""

from collections.abc import Mapping

from mlplatform.registry.stages import PRODUCTION
from services.model_serving.calls import Arm
from services.model_serving.traffic.epochs import PRIMARY
from services.model_serving.traffic.plan import Plan
from services.model_serving.traffic.targets import Targets

Part = tuple[str, str, int]


class TrafficRouter:
    """Routes by the plans in effect.

    Args:
        targets: knows what may be routed to.
    """

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._plans: Mapping[str, Plan] = {}
        self._vetoes: frozenset[Part] = frozenset()

    @property
    def plans(self) -> Mapping[str, Plan]:
        """Model → the plan in effect."""
        return self._plans

    def replace(self, plans: Mapping[str, Plan]) -> None:
        """Put plans into effect, all at once; a reader sees the old ones or the new ones."""
        self._plans = plans
        self._vetoes = frozenset(veto for veto in self._vetoes if _epoch(plans, *veto[:2]) == veto[2])

    def veto(self, model: str, label: str, epoch: int) -> None:
        """Send no more traffic to a part of a plan, until it is started anew; ahead of the document, which follows."""
        self._vetoes |= {(model, label, epoch)}

    def vetoed(self, model: str) -> list[str]:
        """Return the parts of a model's plan that get no traffic from this replica."""
        return sorted(label for name, label, _ in self._vetoes if name == model)

    def is_vetoed(self, model: str, label: str) -> bool:
        """Say whether a part of the plan in effect was vetoed here."""
        epoch = _epoch(self._plans, model, label)
        return epoch is not None and (model, label, epoch) in self._vetoes

    def draws(self, model: str) -> bool:
        """Say whether a plan splits the calls of a model."""
        return model in self._plans

    def route(self, model: str, key: str | None, request_id: str, subject: str | None = None) -> Arm | None:
        """Return where a request goes; None for the version in production.

        Args:
            model: its name.
            key: the caller's own, by which it stays with one version.
            request_id: draws a version where nothing is sticky.
            subject: who the caller is, for documents that go by that.
        """
        plan = self._plans.get(model)
        if plan is None:
            return None
        sticky = plan.document.sticky
        held = key if sticky == "header" else subject if sticky == "principal" else None
        chosen = plan.choose(held or request_id)
        if chosen.target is not None and not (self._vetoes and self.is_vetoed(model, chosen.label)):
            arm = self._arm(model, chosen.target.reference, chosen.label)
            if arm is not None:
                return arm
        if plan.document.primary == PRODUCTION:
            return None
        return self._arm(model, f"@{plan.document.primary}", PRIMARY)

    def _arm(self, model: str, reference: str, label: str) -> Arm | None:
        if not self._targets.may_route(model, reference):
            return None
        return Arm(version=self._targets.version(model, reference), alias=None, label=label)


def _epoch(plans: Mapping[str, Plan], model: str, label: str) -> int | None:
    plan = plans.get(model)
    return None if plan is None else plan.epochs.get(label)
