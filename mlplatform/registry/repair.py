"""What becomes of a promotion that was begun and not ended."""

import asyncio
from dataclasses import dataclass

from mlplatform.registry.ledger import Action, Promotion
from mlplatform.registry.registry import Registry
from mlplatform.registry.repository import Connection
from mlplatform.registry.session import read_intent, read_lineage
from mlplatform.registry.stages import Stage
from mlplatform.registry.transition import Transition


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an open intent ended.

    Attributes:
        promotion: The intent.
        withdrawn: Why it was not finished; None when it was.
    """

    promotion: Promotion
    withdrawn: str | None


async def settle(
    connection: Connection,
    registry: Registry,
    transition: Transition,
    model: str,
    *,
    actor: str,
    wanted: tuple[Stage, str] | None = None,
) -> Settlement | None:
    """Finish the open intent of a model, or withdraw it where it cannot or need not be finished.

    Args:
        connection: Holds the lock on the model, so that whoever wrote the intent is gone.
        registry: Where the aliases are.
        transition: Carries it out.
        model: Registered name.
        actor: Who has it settled.
        wanted: The stage and the version that are promoted next; another version for the same stage that is not in it
            yet would serve for a moment that nobody asked for.

    Returns:
        What was done; None when no intent is open.

    Raises:
        PromotionRefused: Somebody moves the alias meanwhile.
        RegistryUnavailable: MLflow is down; the intent stays open.
    """
    intent = await read_intent(connection, model)
    if intent is None:
        return None
    lineage = await read_lineage(connection, model)
    reason = await asyncio.to_thread(_obstacle, registry, intent, wanted)
    if reason is None:
        await transition.finish(connection, intent, lineage, repaired_by=actor)
    else:
        await transition.withdraw(connection, intent, lineage, reason)
    return Settlement(intent, reason)


def _obstacle(registry: Registry, intent: Promotion, wanted: tuple[Stage, str] | None) -> str | None:
    """Say why an intent is withdrawn, None when it is to be finished."""
    if not registry.has_version(intent.model, intent.to_version):
        return f"Interrupted, and version {intent.to_version} was deleted since."
    if intent.action is Action.ARCHIVE or intent.stage.alias is None:
        return None
    current = registry.find_alias(intent.model, intent.stage.alias)
    if current not in (intent.from_version, intent.to_version):
        return f"Interrupted, and @{intent.stage.alias} was moved to version {current or 'none'} since."
    if wanted is not None and wanted[0] is intent.stage and current != intent.to_version != wanted[1]:
        return f"Interrupted, and version {wanted[1]} was promoted instead."
    return None
