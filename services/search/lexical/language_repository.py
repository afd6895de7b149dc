"""SQL of the languages that words are indexed in. Every statement sees the rows of the transaction's tenant only."""

from psycopg.rows import DictRow

from services.search.lexical.repository import Connection

MOST_WAITING = 100_000
"""Items that are counted, of those that are to be indexed in another language."""


async def read_known_languages(connection: Connection) -> list[str]:
    """Return the names of the text search configurations of Postgres."""
    cursor = await connection.execute(
        "SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace ORDER BY cfgname"
    )
    return [row["cfgname"] for row in await cursor.fetchall()]


async def read_languages(connection: Connection, entity_type: str | None) -> list[DictRow]:
    """Return entity_type, language and changed_at of the types that one was set for, or of one of them, and waiting.

    Waiting are the items whose words are indexed in another language, or not at all. They are counted only as long as
    there may be some, and up to `MOST_WAITING`.
    """
    cursor = await connection.execute(
        """
        SELECT l.entity_type, l.language, l.changed_at, CASE WHEN l.pending THEN (
            SELECT count(*) FROM (
                SELECT FROM search_items i LEFT JOIN search_documents d
                    ON d.tenant_id = i.tenant_id AND d.number = i.number
                WHERE i.tenant_id = l.tenant_id AND i.entity_type = l.entity_type
                    AND d.language IS DISTINCT FROM l.language
                LIMIT %s
            ) w
        ) ELSE 0 END AS waiting
        FROM search_languages l
        WHERE l.tenant_id = current_setting('ml.tenant') AND l.entity_type = coalesce(%s, l.entity_type)
        """,
        (MOST_WAITING, entity_type),
    )
    return await cursor.fetchall()


async def set_language(connection: Connection, entity_type: str, language: str) -> None:
    """Index the items of a type in another language, the older ones in the background.

    Args:
        connection: A transaction of the tenant.
        entity_type: Which items.
        language: A text search configuration of Postgres, such as `german` or `simple`.

    Raises:
        psycopg.errors.InvalidParameterValue: Postgres does not know it.
    """
    await connection.execute("SELECT set_search_language(%s, %s)", (entity_type, language))


async def raise_generation(connection: Connection) -> None:
    """Let no ranking of before be used again."""
    await connection.execute("SELECT raise_search_generation()")
