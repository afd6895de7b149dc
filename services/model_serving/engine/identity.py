"""What a load is a load of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What says that two loads are of the same thing.

    Attributes:
        name: the registered model.
        version: its version, digits.
        key: name of its entry in the artifact cache; the digest of the artifacts when one is recorded.
        digest: digest of the artifacts as recorded in the registry.
        run_id: the training run.
    """

    name: str
    version: str
    key: str
    digest: str | None
    run_id: str | None
