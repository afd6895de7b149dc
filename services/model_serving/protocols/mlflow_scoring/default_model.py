"""The model that answers where a path names none."""

from collections.abc import Collection

from mlplatform.errors import BadRequest, NotFound

SETTING = "ML_SERVING_DEFAULT_MODEL"


def default_model(chosen: str | None, in_production: Collection[str]) -> str:
    """Return the model of `/invocations`: the one that is set, else the only one that there is.

    Raises:
        NotFound: none is in production.
        BadRequest: several are.
    """
    if chosen:
        return chosen
    if len(in_production) == 1:
        return next(iter(in_production))
    how = f"Call /models/NAME/invocations, or let the operator set {SETTING}."
    if in_production:
        raise BadRequest(f"Several models are in production, and /invocations names none. {how}")
    raise NotFound(f"No model is in production. Promote one. {how}")
