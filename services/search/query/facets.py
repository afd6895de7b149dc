"""How often values are among the candidates."""

from collections.abc import Sequence
from typing import Any

from services.search.items import Key
from services.search.query import repository
from services.search.query.query import Query
from services.search.query.repository import Connection

VALUES = 20
"""Most values that are listed of one facet."""


async def read_facets(connection: Connection, keys: Sequence[Key], query: Query) -> dict[str, Any]:
    """Count the values that the candidates of a query have.

    Args:
        connection: A transaction of the tenant.
        keys: The candidates.
        query: It names the facets.

    Returns:
        For each facet its values with their counts, the most frequent first, and how many values there are.
    """
    rows = await repository.count_facets(connection, keys, query.filters, query.facets, VALUES)
    facets: dict[str, Any] = {facet: {"values": [], "different": 0} for facet in query.facets}
    for row in rows:
        facets[row["facet"]]["values"].append({"value": row["value"], "items": row["items"]})
        facets[row["facet"]]["different"] = row["different"]
    return facets
