"""Which items a query may find."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson
from psycopg import sql
from psycopg.types.json import Jsonb

Scalar = str | bool | int | float | None
Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "exists"]

ORDERS = {"gt": sql.SQL(">"), "gte": sql.SQL(">="), "lt": sql.SQL("<"), "lte": sql.SQL("<=")}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition on one key of the metadata, at the top level.

    Attributes:
        key: The key.
        operator: `eq` and `in` compare as JSON does: 5 equals 5.0 and not "5". `ne` is met by an item without the key
            too. The orders compare numbers with numbers and texts with texts, by code point; a value of another type
            does not meet them. `exists` asks for the key, whatever its value.
        value: A scalar; a number or a text for an order; a list of scalars for `in`; a boolean for `exists`.
    """

    key: str
    operator: Operator
    value: Scalar | Sequence[Scalar]

    def condition(self) -> tuple[sql.Composable, list[Any]]:
        """Return the comparison as a condition on `i`, an item, and its values."""
        match self.operator:
            case "eq":
                return sql.SQL("i.metadata @> %s"), [Jsonb({self.key: self.value})]
            case "ne":
                return sql.SQL("NOT i.metadata @> %s"), [Jsonb({self.key: self.value})]
            case "in":
                alternatives = self.value if isinstance(self.value, list | tuple) else [self.value]
                return sql.SQL("i.metadata @> ANY (%s::jsonb[])"), [[Jsonb({self.key: each}) for each in alternatives]]
            case "exists":
                return sql.SQL("(i.metadata ? %s::text) = %s"), [self.key, bool(self.value)]
        if isinstance(self.value, str):
            text = "(jsonb_typeof(i.metadata -> %s::text) = 'string' AND (i.metadata ->> %s::text) COLLATE \"C\" {} %s)"
            return sql.SQL(text).format(ORDERS[self.operator]), [self.key, self.key, self.value]
        number = "(jsonb_typeof(i.metadata -> %s::text) = 'number' AND i.metadata -> %s::text {} %s)"
        return sql.SQL(number).format(ORDERS[self.operator]), [self.key, self.key, Jsonb(self.value)]


@dataclass(frozen=True, slots=True)
class TimeRange:
    """When an item was last written.

    Attributes:
        since: At this time or later.
        before: Earlier than this.
    """

    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that an item must meet, all of them.

    Attributes:
        entity_types: Its type is one of these; None for any.
        tags: It has all of these.
        metadata: Its metadata meet all of these.
        updated: When it was last written.
    """

    entity_types: Sequence[str] | None = None
    tags: Sequence[str] = ()
    metadata: Sequence[Comparison] = ()
    updated: TimeRange = field(default_factory=TimeRange)

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return bool(self.document())

    def document(self) -> dict[str, Any]:
        """Return the conditions as JSON, as `search_condition` of the database reads them; empty for none."""
        return dict(self._parts())

    def key(self) -> bytes:
        """Return the same bytes for conditions that mean the same."""
        document = self.document()
        for name in ("entity_types", "tags"):
            if name in document:
                document[name] = sorted(set(document[name]))
        if "metadata" in document:
            document["metadata"].sort(key=orjson.dumps)
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)

    def condition(self) -> tuple[sql.Composable, list[Any]]:
        """Return the filters as a condition on `i`, an item, and its values.

        Row-level security lets no index serve it; `matching_search_items` may use them.
        """
        parts: list[sql.Composable] = [sql.SQL("true")]
        values: list[Any] = []
        if self.entity_types is not None:
            parts.append(sql.SQL("i.entity_type = ANY (%s::text[])"))
            values.append(list(self.entity_types))
        if self.tags:
            parts.append(sql.SQL("i.tags @> %s::text[]"))
            values.append(list(self.tags))
        for comparison in self.metadata:
            part, own = comparison.condition()
            parts.append(part)
            values += own
        if self.updated.since is not None:
            parts.append(sql.SQL("i.updated_at >= %s"))
            values.append(self.updated.since)
        if self.updated.before is not None:
            parts.append(sql.SQL("i.updated_at < %s"))
            values.append(self.updated.before)
        return sql.SQL(" AND ").join(parts), values

    def _parts(self) -> Iterator[tuple[str, Any]]:
        if self.entity_types is not None:
            yield "entity_types", list(self.entity_types)
        if self.tags:
            yield "tags", list(self.tags)
        if self.metadata:
            yield "metadata", [{"key": each.key, "op": each.operator, "value": each.value} for each in self.metadata]
        if self.updated.since is not None:
            yield "since", self.updated.since.isoformat()
        if self.updated.before is not None:
            yield "before", self.updated.before.isoformat()


def equal_to(metadata: Mapping[str, Scalar | Sequence[Scalar]]) -> tuple[Comparison, ...]:
    """Return the comparisons that ask each key for its value, or for one of its values."""
    return tuple(
        Comparison(key, "in" if isinstance(value, list | tuple) else "eq", value) for key, value in metadata.items()
    )
