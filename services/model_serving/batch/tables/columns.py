"""Which columns of a table a model takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types.schema import DataType

from services.model_serving.batch.tables.errors import TableRefused
from services.model_serving.signature.findings import listing

NO_COLUMNS = "The model declares no columns, so a table cannot be read for it; submit its inputs as JSON."
NESTED = "The model takes lists or objects in {}, which a table does not have; submit its inputs as JSON."


@dataclass(frozen=True)
class Columns:
    """Columns of a model.

    Attributes:
        kinds: Of each, in their order; numbers in place of names when they have none.
        optional: Those that a table may lack.
    """

    kinds: Mapping[str | int, DataType]
    optional: frozenset[str | int]

    @classmethod
    def of(cls, declared: ModelSignature | None) -> "Columns":
        """Return the columns of a signature.

        Raises:
            TableRefused: It has none that a table could have.
        """
        schema = None if declared is None else declared.inputs
        if schema is None or schema.is_tensor_spec():
            raise TableRefused(NO_COLUMNS)
        names: Sequence[str | int] = schema.input_names() if schema.has_input_names() else range(len(schema.inputs))
        kinds = dict(zip(names, schema.input_types(), strict=True))
        if nested := [name for name, kind in kinds.items() if not isinstance(kind, DataType)]:
            raise TableRefused(NESTED.format(listing(nested)))
        optional = frozenset(name for name, spec in zip(names, schema.inputs, strict=True) if not spec.required)
        return cls(kinds, optional)

    @property
    def are_doubles(self) -> bool:
        """Whether a model can be called with a matrix."""
        return all(kind is DataType.double for kind in self.kinds.values())

    @property
    def are_named(self) -> bool:
        """Whether they have names."""
        return not all(isinstance(name, int) for name in self.kinds)

    def index(self, names: Sequence[str | int]) -> "pd.Index[str | int]":
        """Return the labels of a frame with some of the columns."""
        return pd.Index(list(names))

    def find(self, header: Sequence[str]) -> dict[str | int, int]:
        """Return where in a table each column of the model is; columns that the model does not have are passed over.

        Raises:
            TableRefused: One is missing, or is there twice.
        """
        if not self.are_named:
            if len(header) != len(self.kinds):
                raise TableRefused(
                    f"The table has {len(header)} columns; the model takes {len(self.kinds)}, which have no names."
                )
            return {place: place for place in range(len(header))}
        if twice := sorted({name for name in header if name in self.kinds and header.count(name) > 1}):
            raise TableRefused(f"The table has columns twice: {listing(twice)}.")
        places = {name: place for place, name in enumerate(header) if name in self.kinds}
        if missing := [name for name in self.kinds if name not in places and name not in self.optional]:
            raise TableRefused(f"The table lacks columns that the model takes: {listing(missing)}.")
        return {name: places[str(name)] for name in self.kinds if name in places}
