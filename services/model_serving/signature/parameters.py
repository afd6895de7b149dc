"""The `params` of a call, against those that the model declares."""

from mlflow.exceptions import MlflowException
from mlflow.types.schema import ParamSchema, ParamSpec

from services.model_serving.signature.findings import Findings

NAME_LENGTH = 100
"""Characters of a caller's name of a parameter that an answer repeats."""


class Parameters:
    """Reads the parameters of a call.

    Args:
        schema: what the model declares; None when it takes none.
    """

    def __init__(self, schema: ParamSchema | None) -> None:
        self._specs: dict[str, ParamSpec] = {} if schema is None else {spec.name: spec for spec in schema.params}

    @property
    def declared(self) -> bool:
        """Whether the model takes any."""
        return bool(self._specs)

    def read(self, params: dict[str, object]) -> dict[str, object] | None:
        """Check the parameters; the ones left out get their default. None when the model takes none.

        Raises:
            InvalidInputs: one is unknown or of another type; each is named.
        """
        findings = Findings()
        known = ", ".join(self._specs) or "none"
        for name in sorted(params.keys() - self._specs.keys()):
            findings.add(f"body.params.{name[:NAME_LENGTH]}", f"is not declared by the model; it declares {known}")
        values = {name: self._value(spec, params, findings) for name, spec in self._specs.items()}
        findings.raise_any()
        return values or None

    def _value(self, spec: ParamSpec, params: dict[str, object], findings: Findings) -> object:
        if spec.name not in params:
            return spec.default
        try:
            value: object = ParamSpec.validate_param_spec(params[spec.name], spec)
        except MlflowException:  # its message repeats the value
            form = "" if spec.shape is None else "list of "
            findings.add(f"body.params.{spec.name}", f"must be a {form}{getattr(spec.dtype, 'name', spec.dtype)}")
            return None
        return value
