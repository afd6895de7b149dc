"""Plain pgvector with the SQL of its README, on the same table: what the routing is measured against."""

from collections.abc import Callable

import psycopg
from store import TENANT

STATEMENT = """
SELECT i.entity_id FROM {table} e
JOIN search_items i USING (tenant_id, entity_type, entity_id)
WHERE e.tenant_id = %s AND i.tags @> %s ORDER BY e.embedding <=> %s::halfvec LIMIT 10
"""


def usual_sql(owner_url: str, table: str) -> Callable[[str, str], list[str]]:
    """Return what asks for the ten nearest items with a tag, with the settings as they come."""
    connection = psycopg.connect(owner_url, autocommit=True)
    connection.execute("SELECT set_config('ml.tenant', %s, false)", (TENANT,))

    def ask(vector: str, tag: str) -> list[str]:
        rows = connection.execute(STATEMENT.format(table=table), (TENANT, [tag], vector)).fetchall()
        return [row[0] for row in rows]

    return ask
