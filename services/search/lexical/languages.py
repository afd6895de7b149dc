"""In which language the words of each kind of items are indexed."""

from collections.abc import Mapping
from typing import Any

from services.search.errors import LanguageRefused
from services.search.lexical import language_repository as repository
from services.search.lexical.repository import Connection

ENGLISH = "english"
"""Of kinds that no language was set for."""
EVERY_TYPE = "*"


async def read_languages(connection: Connection, entity_type: str | None = None) -> Mapping[str, Mapping[str, Any]]:
    """Return by kind what was set: language, changed_at, and waiting, how many items are not indexed in it yet.

    Args:
        connection: A transaction of the tenant.
        entity_type: Only this kind.
    """
    rows = await repository.read_languages(connection, entity_type)
    return {row["entity_type"]: row for row in rows}


async def change_language(connection: Connection, entity_type: str, language: str | None) -> str:
    """Index the items of a kind in another language from now on, the older ones in the background.

    Args:
        connection: A transaction of the tenant.
        entity_type: Kind of the items.
        language: A text search configuration of Postgres; None for English.

    Returns:
        The language that it had.

    Raises:
        LanguageRefused: Postgres does not know it, or the items are not of one kind.
    """
    if entity_type == EVERY_TYPE:
        raise LanguageRefused("belongs to one kind of items; set it for each kind by its name")
    wanted = ENGLISH if language is None else language
    known = await repository.read_known_languages(connection)
    if wanted not in known:
        raise LanguageRefused(f"is no text search configuration of Postgres; there are: {', '.join(known)}")
    former = await read_languages(connection, entity_type)
    await repository.set_language(connection, entity_type, wanted)
    return str(former[entity_type]["language"]) if entity_type in former else ENGLISH
