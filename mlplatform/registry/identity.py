"""Who moves versions: proved by a token where there is one, else whoever the operating system says it is."""

from dataclasses import dataclass
from enum import StrEnum

from mlplatform.auth.roles import Permission
from mlplatform.auth.system_user import system_user
from mlplatform.auth.tokens import TokenVerifier
from mlplatform.registry.errors import PromotionRefused
from mlplatform.registry.settings import PromotionSettings


class Proof(StrEnum):
    """How a name is known: a token that was verified, the user of the operating system, or the caller's word."""

    TOKEN = "token"  # noqa: S105 - the name of a kind of proof
    OS = "os"
    DECLARED = "declared"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts, and how that is known."""

    name: str
    proof: Proof


async def identify(settings: PromotionSettings, declared: str | None = None) -> Identity:
    """Say who runs this.

    Args:
        settings: Holds the token, if there is one.
        declared: The name that the caller gives; None takes the user of the operating system.

    Raises:
        CredentialRefused: The token proves nobody.
        PromotionRefused: It is somebody else's than the name given, or does not allow promotions.
        DependencyUnavailable: The issuer's keys cannot be fetched.
    """
    if settings.token is None:
        return Identity(system_user(), Proof.OS) if declared is None else Identity(declared, Proof.DECLARED)
    principal = await TokenVerifier(settings).verify(settings.token.get_secret_value())
    if declared not in (None, principal.subject):
        raise PromotionRefused(
            f"ML_TOKEN is of {principal.subject}, not of {declared}. Leave --actor and ML_ACTOR out."
        )
    if not principal.may(Permission.PROMOTE):
        raise PromotionRefused(f"{principal.subject} may not promote: the role ml_admin is needed.")
    return Identity(principal.subject, Proof.TOKEN)


def require_proof(settings: PromotionSettings, identity: Identity) -> None:
    """Insist on a name that is more than the caller's word, where approvals depend on it.

    Raises:
        PromotionRefused: It is not; the message says what to do.
    """
    if settings.auth_enabled and identity.proof is not Proof.TOKEN:
        raise PromotionRefused("Approvals need proof of who you are: set ML_TOKEN to a token with the role ml_admin.")
    if identity.proof is Proof.DECLARED:
        raise PromotionRefused(
            f"Nothing proves that you are {identity.name}. Set ML_TOKEN, or leave --actor and ML_ACTOR out."
        )


def is_same_person(one: str, other: str) -> bool:
    """Whether two names may be of one person: `ada`, `Ada` and `ada@example.org` are taken to be."""
    return one.casefold().partition("@")[0] == other.casefold().partition("@")[0]
