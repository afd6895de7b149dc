"""The wire types of batch jobs."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.model_serving.schemas import AliasName, ModelName, VersionNumber

StateName = Literal["queued", "running", "completed", "failed", "cancelled"]
ResultStateName = Literal["succeeded", "failed"]


ONE_CHOICE: dict[str, Any] = {
    "not": {
        "required": ["version", "alias"],
        "properties": {"version": {"not": {"type": "null"}}, "alias": {"not": {"type": "null"}}},
    }
}


class FilesRequest(BaseModel):
    """What to do with uploaded files."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    version: VersionNumber | None = None
    alias: AliasName | None = None
    params: dict[str, Any] = Field(default_factory=dict, description="Parameters that the model declares.")
    threshold: Annotated[float, Field(gt=0, le=1, strict=True)] | None = Field(
        default=None, description="Results with less confidence go to the review queue."
    )
    report: Annotated[bool, Field(strict=True, description="Whether a report follows its end.")] = True
    webhook: str | None = Field(
        default=None, description="Where the end of the job is posted to, signed; https, or a network of the operator."
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.version is not None and self.alias is not None:
            raise ValueError("give a version or an alias, not both")
        return self


class BatchRequest(FilesRequest):
    """Items to score with one version; the one in production unless a version or an alias is named."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            **ONE_CHOICE,
            "examples": [{"model": "curve_forecaster", "inputs": [{"x": 1.0}, {"x": 2.0}]}],
        },
    )

    inputs: Annotated[list[Any], Field(min_length=1)] = Field(
        description="One entry for each item: a row as an object or by position, a tensor, or all rows of a history "
        "for a model of histories."
    )


class BatchJob(BaseModel):
    """A job; `succeeded + failed + cancelled` is `items` once it has ended."""

    id: UUID
    kind: str = Field(description="What its items came as.")
    state: StateName
    model: str
    version: str = Field(description="As the alias stood when the job was submitted.")
    digest: str | None = Field(description="Of the artifacts of that version.")
    alias: str | None
    items: int
    succeeded: int
    failed: int
    cancelled: int
    retries: int = Field(description="How often failed items were tried again.")
    error: str | None = Field(description="Why the job as a whole failed.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    threshold: float | None = Field(default=None, description="Results with less confidence go to the review queue.")
    webhook: str | None = Field(default=None, description="Where its end is posted to.")


class BatchJobPage(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[BatchJob]
    next_cursor: str | None


class ItemError(BaseModel):
    """Why an item has no output."""

    code: str = Field(description="The same in the column `code` of files with the results.")
    detail: str
    errors: list[dict[str, str]] = Field(default=[], description="The wrong fields of the item, when it has any.")


class ItemResult(BaseModel):
    """What came of one item."""

    item: int = Field(description="Its place in `inputs`, from 0.")
    name: str | None = Field(default=None, description="Of a file: what its sender, or the archive, called it.")
    state: ResultStateName
    output: Any = Field(description="What `POST /api/v1/predict` answers for the item; null when it failed.")
    error: ItemError | None


class ItemResultPage(BaseModel):
    """A page of results, in the order of the items."""

    model: str
    version: str
    results: list[ItemResult]
    next_cursor: str | None
    complete: bool = Field(
        description="Whether the pages have a result of every item. False while the job goes on: more may come, also "
        "before the cursor. False too of a cancelled job, and of a table of which rows succeeded: their answers are in "
        "`files` alone."
    )
    lists: Literal["all", "failed"] = Field(description="Which results the pages have: of a table those that failed.")
    files: dict[str, str] | None = Field(
        description="Paths of the files with all results by their form, each of which answers with a presigned "
        "address; null while the job goes on."
    )
