"""The wire types of serving."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

MODEL_NAME = r"^[^/:\x00-\x1f\x7f]{1,256}$"
VERSION = r"^[1-9][0-9]{0,8}$"
ALIAS = r"^[A-Za-z0-9_-]{1,128}$"


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


VERSION_SCHEMA = {
    "anyOf": [{"type": "string", "pattern": VERSION}, {"type": "integer", "minimum": 1, "maximum": 999_999_999}]
}
INPUTS_SCHEMA = {
    "description": "A list of records, an object of columns, a list of rows by position, or a nested list of numbers "
    "for a model whose signature is a tensor.",
    "anyOf": [
        {"type": "array", "items": {"type": "object"}},
        {"type": "array", "items": {"type": "array"}},
        {"type": "object", "additionalProperties": {"type": "array"}},
        {"type": "array"},
    ],
}

ModelName = Annotated[str, Field(pattern=MODEL_NAME, description="A registered model.")]
VersionNumber = Annotated[
    str,
    Field(pattern=VERSION),
    BeforeValidator(_as_text),
    WithJsonSchema(VERSION_SCHEMA),
]
AliasName = Annotated[str, Field(pattern=ALIAS, description="An alias of the model, such as `staging`.")]


class PredictRequest(BaseModel):
    """Inputs for one model; the version in production answers unless a version or an alias is named."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "not": {
                "required": ["version", "alias"],
                "properties": {"version": {"not": {"type": "null"}}, "alias": {"not": {"type": "null"}}},
            },
            "examples": [{"model": "curve_forecaster", "inputs": [{"x": 1.0}]}],
        },
    )

    model: ModelName
    version: VersionNumber | None = None
    alias: AliasName | None = None
    inputs: Annotated[Any, WithJsonSchema(INPUTS_SCHEMA)]
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters that the model declares.")
    explain: bool = Field(default=False, description="Whether to say what each column did to each prediction.")

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.version is not None and self.alias is not None:
            raise ValueError("give a version or an alias, not both")
        return self


class Explanations(BaseModel):
    """Shapley values: `base_values` plus the sum over `columns` of `contributions` is the model's raw prediction."""

    method: Literal["tree_shap", "linear_shap"]
    unit: Literal["prediction", "probability", "log_odds", "log", "margin"] = Field(
        description="What they add up to: the prediction itself, the probability of the class, its log-odds (of a "
        "binary classifier), the logarithm of the prediction, or the model's raw score."
    )
    background: Literal["training", "reference_profile", "input_example"] = Field(
        description="What a row is compared with: the training data as the trees counted it, or the mean over the rows "
        "of the model's reference profile or input example."
    )
    outputs: list[str | float | bool] | None = Field(
        description="The classes that are explained, of two only the second; null where the model does not classify."
    )
    columns: list[str]
    base_values: list[float] = Field(description="One for each output.")
    contributions: list[list[float]] | list[list[list[float]]] = Field(
        description="By row and column; with several outputs by row, output and column."
    )


class PredictResponse(BaseModel):
    """What the model answered: records for a DataFrame, else a list."""

    model: str
    version: str
    alias: str | None = Field(default=None, description="The alias that the caller named.")
    predictions: Any
    explanations: Explanations | None = Field(default=None, description="When `explain` is true.")


class LoadedState(BaseModel):
    """A version in memory."""

    version: str
    role: Literal["production", "extra"]
    digest: str | None
    loaded_at: datetime
    load_seconds: float
    size_bytes: int = Field(description="What it is thought to take in memory.")
    path: Literal["native", "pyfunc"] = Field(description="Whether predictions go past MLflow or through it.")
    path_reason: str = Field(description="Why: what was compared with MLflow and found equal, or where it differed.")
    row_wise: bool = Field(description="Whether rows of several callers may be scored in one call.")
    row_wise_reason: str = Field(description="Why.")


class LoadFailure(BaseModel):
    """A version in production that could not be loaded."""

    version: str
    reason: str
    attempts: int
    retry_in_seconds: float


class ModelSummary(BaseModel):
    """A registered model, and what of it is in memory here."""

    name: str
    description: str
    served_by: str
    aliases: Mapping[str, str]
    loaded: list[LoadedState]
    failure: LoadFailure | None
    alias_missing: bool = Field(description="Served although no version is in production any more.")


class ModelPage(BaseModel):
    """A page of models."""

    models: list[ModelSummary]
    next_cursor: str | None
    complete: bool = Field(description="False while MLflow is down: then only what is in memory is listed.")


class VersionSummary(BaseModel):
    """A version of a model."""

    version: str
    aliases: list[str]
    digest: str | None
    run_id: str | None
    created: datetime | None


class AliasDrift(BaseModel):
    """An alias that is not where the ledger of promotions has it."""

    alias: str = Field(description="`*` when it is about the model as a whole.")
    kind: Literal["moved", "deleted", "unregistered", "unrecorded", "interrupted"]
    recorded: str | None = Field(description="The version that the ledger has there.")
    found: str | None = Field(description="The version that the registry has there.")
    detected_at: datetime
    message: str


class ModelDetail(ModelSummary):
    """A model with its newest versions."""

    drift: list[AliasDrift] = Field(default=[], description="What was moved or deleted past the platform.")

    versions: list[VersionSummary]
    complete: bool = Field(description="False while MLflow is down: then only what is in memory is shown.")


class SignatureDetail(BaseModel):
    """What a model takes and gives, as MLflow writes it."""

    inputs: list[dict[str, Any]] | None
    outputs: list[dict[str, Any]] | None
    params: list[dict[str, Any]] | None


class VersionDetail(VersionSummary):
    """Everything known about a version."""

    model: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float | None]
    signature: SignatureDetail | None
    input_example: Any = Field(description="The `inputs` of a call that works.")
    loaded: LoadedState | None
    complete: bool = Field(description="False while MLflow is down: then only what is in memory is shown.")


class ExampleRequest(BaseModel):
    """A body for `POST /api/v1/predict`."""

    model: str
    version: str
    inputs: Any = Field(description="The input example that was logged with the version.")


class PromotionEntry(BaseModel):
    """One row of the promotion ledger."""

    id: int
    stage: str
    action: str
    state: str
    from_version: str | None
    to_version: str
    artifact_digest: str | None
    actor: str
    identity: Literal["token", "os", "declared"] = Field(description="How the actor is known.")
    reason: str | None
    failure: str | None
    trace_id: str | None
    started_at: datetime
    committed_at: datetime | None
    has_report: bool


class PromotionPage(BaseModel):
    """A page of a model's promotions, newest first."""

    promotions: list[PromotionEntry]
    next_cursor: str | None


class ApprovalEntry(BaseModel):
    """What somebody decided about a version."""

    id: int
    version: str
    stage: str
    artifact_digest: str
    decision: Literal["approved", "rejected", "revoked"]
    approver: str
    identity: Literal["token", "os"] = Field(description="How the approver is known.")
    reason: str | None
    decided_at: datetime
    expires_at: datetime | None
    expired: bool


class ApprovalPage(BaseModel):
    """A page of the decisions on a model's versions, newest first."""

    approvals: list[ApprovalEntry]
    next_cursor: str | None
