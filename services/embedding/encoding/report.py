"""What a service says about how it computes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.embedding.encoding.names import BackendName, Wanted
from services.embedding.encoding.trials import Trial


class Choice(BaseModel):
    """Why a backend serves."""

    model_config = ConfigDict(frozen=True)

    wanted: Annotated[Wanted, Field(description="`auto` for the fastest, or the backend that was asked for.")]
    complete: Annotated[bool, Field(description="False while backends are still being tried.")] = False
    problem: Annotated[str | None, Field(description="Why another backend serves than was asked for or chosen.")] = None
    trials: Annotated[tuple[Trial, ...], Field(description="What was measured on this machine.")] = ()
    compared: Annotated[
        tuple[BackendName, ...],
        Field(description="Those near the fastest, from which `auto` chose: measured in turns, unless that failed."),
    ] = ()


class EncoderReport(BaseModel):
    """How texts become vectors at the moment."""

    model_config = ConfigDict(frozen=True)

    backend: BackendName
    precision: Annotated[str, Field(description="Of the numbers that it computes with.")]
    max_tokens: Annotated[int, Field(description="Tokens of a text that the model reads.")]
    truncation: Annotated[str, Field(description="Which part of a longer text is cut: its `end` or its `start`.")]
    batch_tokens: Annotated[
        int, Field(description="Most tokens encoded together. It is halved when the device has no room for a batch.")
    ]
    length_step: Annotated[int, Field(description="Lengths are padded to a multiple of this.")]
    few_shapes: Annotated[
        bool,
        Field(description="Whether long texts share eight lengths to a power of two, and batches have few sizes."),
    ]
    choice: Annotated[Choice | None, Field(description="Null when nothing but the reference is to serve.")]
